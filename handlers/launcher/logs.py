"""Reads what was added to TorchServe's log files."""

from pathlib import Path

LOGS = Path("logs")
ERRORS = LOGS / "torchserve.err"
FILES = (ERRORS, LOGS / "ts_log.log", LOGS / "model_log.log")
REFUSAL = "MODEL NOT LOADED: "


class Tail:
    """Everything that is added to the log files after this object was made."""

    def __init__(self) -> None:
        self.begins = {path: path.stat().st_size if path.exists() else 0 for path in FILES}

    def read(self) -> str:
        """The added text."""
        return "".join(_read_from(path, begin) for path, begin in self.begins.items())

    def refusal(self) -> str | None:
        """Why a worker did not load the model, as logged by the handler; None if no worker logged a reason."""
        said = self.read()
        return said.rpartition(REFUSAL)[2].splitlines()[0] if REFUSAL in said else None

    def last_error(self) -> str:
        """The last line that mentions an error."""
        lines = [line.strip() for line in self.read().splitlines() if "Exception" in line or "ERROR" in line]
        return lines[-1] if lines else f"no error was logged; see the log files in {LOGS}/"


def _read_from(path: Path, begin: int) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
