"""The rows of a load test so far, on the screen and on the disk before anything else is measured."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.config import BenchConfig
from benchmarks.report.rows import Row, row_from
from contract import UsageError
from contract.atomic import write_text_atomically

RESULTS_FILE = "results.json"


@dataclass
class Record:
    """What a load test was asked for, on which machine, and what came of it."""

    settings: dict[str, Any]
    machine: dict[str, str]
    ceilings: dict[str, dict[str, float]] = field(default_factory=dict)
    """Images/s in process beside each server, by server and input."""
    cold_starts: dict[str, dict[str, float]] = field(default_factory=dict)
    """Seconds from process start to `ready` and to the `first answer`, by server."""
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """Why a server was not measured to the end, by server."""
    complete: bool = False

    def add(self, row: Row, folder: Path) -> None:
        """Keep a row."""
        self.rows.append(row)
        print(line_of(row), flush=True)
        self.write(folder)

    def write(self, folder: Path) -> None:
        """Put `results.json` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        values = {**vars(self), "rows": [row.as_dict() for row in self.rows]}
        write_text_atomically(folder / RESULTS_FILE, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def read_record(folder: Path) -> Record:
    """The record in a results folder. Raises `UsageError`."""
    path = folder / RESULTS_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(**{**values, "rows": [row_from({**figures_in(row["note"]), **row}) for row in values["rows"]]})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{folder} is not a folder of results ({type(error).__name__}); expected one that make bench wrote"
        ) from error


def figures_in(note: str) -> dict[str, Any]:
    """What results up to 2026-11 say only in words, such as "10.9 requests/s carried, …"."""
    if found := re.match(r"([\d.]+) requests/s (?:within the SLO|carried),", note):
        return {"within_slo": float(found[1])}
    if re.match(r"no rate within the SLO|not even", note):
        return {"within_slo": 0.0}
    if found := re.match(r"recovered after (more than )?([\d.]+) s", note):
        return {"recovered_s": float(found[2]), "recovered": found[1] is None}
    return {}


def settings_of(config: BenchConfig) -> dict[str, Any]:
    """The configuration as JSON can hold it; paths of this machine stay out."""
    values = asdict(config)
    for name in ("bundle", "images", "out", "api_key_file"):
        values.pop(name)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def command_of(settings: dict[str, Any]) -> str:
    """The command that repeats a load test, with a bundle of the reader's."""
    usual = settings_of(BenchConfig(bundle=Path()))
    parts = ["python -m benchmarks --bundle BUNDLE"]
    for name, value in settings.items():
        if value != usual.get(name):
            flag = f"--{name.replace('_', '-')}"
            given = value if isinstance(value, list) else [] if value is True else [value]
            parts.append(" ".join([flag, *map(str, given)]))
    return " ".join(parts)


def line_of(row: Row) -> str:
    """A row in one line of the screen."""
    case, bad = row.case, row.wrong + row.timeout + row.error
    rate = f"{row.images_s:7.1f} images/s" if not row.generator_bound else "generator too slow"
    p50, p99 = (f"{value:.0f} ms" if value is not None else "-" for value in (row.p50, row.p99))
    trouble = "".join(f"  {count} {name}" for count, name in ((row.shed, "shed"), (bad, "failed")) if count)
    what = f"{case.server:20} {case.scenario:12} {case.load:18} {case.input:11}"
    return f"{what} {rate}  p50 {p50}  p99 {p99}{trouble}  {row.note}".rstrip()
