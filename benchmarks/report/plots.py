"""Rows in, PNG files out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.load.samples import STAGES
from benchmarks.report.rows import Row

DPI = 120


def plot_all(rows: Sequence[Row], ceilings: Mapping[str, float], folder: Path) -> list[str]:
    """Throughput and latency by clients, the answers at each open load, and stages; returns the files' names."""
    sweep = [row for row in rows if row.case.scenario == "sweep" and row.case.input == "mixed"]
    staged = [row for row in sweep if row.inference is not None]
    opened = [row for row in rows if row.case.loop == "open"]
    plots: dict[str, tuple[Sequence[Row], Callable[[Axes], None]]] = {
        "throughput.png": (sweep, lambda axes: draw_throughput(axes, sweep, ceilings)),
        "latency.png": (sweep, lambda axes: draw_latency(axes, sweep)),
        "outcomes.png": (opened, lambda axes: draw_outcomes(axes, opened)),
        "stages.png": (staged, lambda axes: draw_stages(axes, staged)),
    }
    written = []
    for name, (shown, draw) in plots.items():
        if shown:
            figure = Figure(figsize=(7, 4), layout="constrained", dpi=DPI)
            draw(figure.add_subplot())
            figure.savefig(folder / name)
            written.append(name)
    return written


def draw_throughput(axes: Axes, rows: Sequence[Row], ceilings: Mapping[str, float]) -> None:
    """Images/s by clients, with the ceilings that were measured beside the servers."""
    for server in dict.fromkeys(row.case.server for row in rows):
        own = [row for row in rows if row.case.server == server]
        axes.plot([clients_of(row) for row in own], [row.images_s for row in own], marker="o", label=server)
    axes.axhspan(min(ceilings.values()), max(ceilings.values()), color="grey", alpha=0.3, label="ceiling")
    axes.set(
        xlabel="clients (closed loop)",
        ylabel="images/s",
        title="Throughput (correct answers)",
        xscale="log",
        ylim=(0, None),
    )
    _clients_axis(axes, rows)
    axes.legend()
    axes.grid(alpha=0.3)


def draw_latency(axes: Axes, rows: Sequence[Row]) -> None:
    """The median by clients, and p99 where the samples carry it."""
    for server in dict.fromkeys(row.case.server for row in rows):
        own = [row for row in rows if row.case.server == server and row.p50 is not None]
        (line,) = axes.plot(
            [clients_of(row) for row in own], [row.p50 or 0 for row in own], marker="o", label=f"{server} p50"
        )
        tail = [row for row in own if row.p99 is not None]
        where, values = [clients_of(row) for row in tail], [row.p99 or 0 for row in tail]
        if tail:
            axes.plot(where, values, color=line.get_color(), linestyle="--", marker="v", label=f"{server} p99")
    axes.set(xlabel="clients (closed loop)", ylabel="ms", title="Latency", yscale="log")
    _clients_axis(axes, rows)
    axes.legend()
    axes.grid(alpha=0.3)


def draw_outcomes(axes: Axes, rows: Sequence[Row]) -> None:
    """What became of the requests of each open load."""
    names = [f"{row.case.server}, {row.case.load}" for row in rows]
    left = [0.0] * len(rows)
    colours = {"ok": "tab:green", "shed": "tab:orange", "timeout": "tab:red", "wrong": "black", "error": "tab:purple"}
    for outcome, colour in colours.items():
        total = [row.ok + row.shed + row.timeout + row.wrong + row.error for row in rows]
        shares = [100 * getattr(row, outcome) / max(1, count) for row, count in zip(rows, total, strict=True)]
        axes.barh(names, shares, left=left, color=colour, label=outcome)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="% of requests", title="Outcomes of the requests in open loop tests")
    axes.legend(ncols=len(colours), loc="upper center", bbox_to_anchor=(0.4, -0.15))


def draw_stages(axes: Axes, rows: Sequence[Row]) -> None:
    """Where the time goes inside the server, by its own account."""
    names = [f"{row.case.server}, {row.case.load}" for row in rows]
    left = [0.0] * len(rows)
    for stage in STAGES:
        values = [getattr(row, stage) or 0 for row in rows]
        axes.barh(names, values, left=left, label=stage)
        left = [before + value for before, value in zip(left, values, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="median time in ms", title="Time in the stages of the server")
    axes.legend()


def _clients_axis(axes: Axes, rows: Sequence[Row]) -> None:
    ticks = sorted({clients_of(row) for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.xaxis.set_minor_locator(NullLocator())


def clients_of(row: Row) -> int:
    """The number of clients of a closed loop's row."""
    return int(row.case.load.split()[0])
