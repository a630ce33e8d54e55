"""TorchServe's log files in, what they say since a moment out."""

from pathlib import Path

LOGS = Path("logs")
ERRORS = LOGS / "torchserve.err"
FILES = (ERRORS, LOGS / "ts_log.log", LOGS / "model_log.log")
REFUSAL = "MODEL NOT LOADED: "


class Tail:
    """What is added to the log files from now on."""

    def __init__(self) -> None:
        self.begins = {path: path.stat().st_size if path.exists() else 0 for path in FILES}

    def read(self) -> str:
        """All that was added."""
        return "".join(_read_from(path, begin) for path, begin in self.begins.items())

    def refusal(self) -> str | None:
        """Why a worker did not load the model, in the handler's one line; None if none said so."""
        said = self.read()
        return said.rpartition(REFUSAL)[2].splitlines()[0] if REFUSAL in said else None

    def last_error(self) -> str:
        """The last line that names an error."""
        lines = [line.strip() for line in self.read().splitlines() if "Exception" in line or "ERROR" in line]
        return lines[-1] if lines else f"{LOGS}/ may say why"


def _read_from(path: Path, begin: int) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
