"""A record in; `report.html` (readable alone), `report.md`, `rows.csv` and plots out."""

import base64
import csv
import io
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.report import side_by_side
from benchmarks.report.plots import plot_all
from benchmarks.report.record import Record, command_of
from benchmarks.report.rows import Row
from benchmarks.report.words import conclusions
from contract.atomic import write_text_atomically

HEADINGS = (
    "server",
    "scenario",
    "loop",
    "load",
    "input",
    "images/s",
    "95 % confidence interval",
    "of ceiling",
    *("p50", "p90", "p95", "p99", "p99.9", "max"),
    *("correct", "wrong", "shed", "timeout", "error"),
    "CPU cores",
    "memory, MB",
    "generator's CPU cores",
    "note",
)


def write_report(record: Record, folder: Path) -> None:
    """Write all files of a report into the results folder, beside `results.json`."""
    ceilings = {server: rates["mixed"] for server, rates in record.ceilings.items()}
    pictures = plot_all(record.rows, ceilings, folder)
    values = {
        "record": record,
        "command": command_of(record.settings),
        "beside": [list(side_by_side.HEADINGS), *side_by_side.side_by_side(record)],
        "headings": HEADINGS,
        "lines": [cells(row) for row in record.rows],
        "conclusions": conclusions(record),
        "pictures": {name: _embedded(folder / name) for name in pictures},
    }
    for name in ("report.html", "report.md"):
        page = _environment(name).get_template(f"{name}.j2").render(values)
        write_text_atomically(folder / name, page)
    write_text_atomically(folder / "rows.csv", as_csv(record.rows))


def cells(row: Row) -> list[str]:
    """A row as people read it."""
    interval = f"{row.low:.1f} to {row.high:.1f}" if row.low is not None else "-"
    latencies = [_number(value, 0) for value in (row.p50, row.p90, row.p95, row.p99, row.p999, row.max)]
    counts = [str(count) for count in (row.ok, row.wrong, row.shed, row.timeout, row.error)]
    rate = f"{row.images_s:.1f}" if not row.generator_bound else f"(generator too slow: {row.images_s:.1f})"
    case = row.case
    return [
        *(case.server, case.scenario, case.loop, case.load, case.input),
        *(rate, interval, f"{row.of_ceiling:.0%}", *latencies, *counts),
        *(_number(row.cpu, 2), _number(row.rss_mb, 0), f"{row.generator_cpu:.2f}", row.note),
    ]


def as_csv(rows: list[Row]) -> str:
    """Every figure of every row, unrounded."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0].as_dict()))
        writer.writeheader()
        writer.writerows(row.as_dict() for row in rows)
    return text.getvalue()


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _environment(name: str) -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _embedded(path: Path) -> str:
    """A picture as a data URL: the report can be mailed as one file."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
