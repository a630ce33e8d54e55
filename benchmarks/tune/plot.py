"""Trials in, a plot of throughput against latency out: a line for each mode."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.tune.trial import Trial


def plot_trials(trials: Sequence[Trial], best: Trial, path: Path) -> None:
    """Each mode's ways that no other way of it beats in both respects are joined. Raises `OSError`."""
    figure = Figure(figsize=(7, 4), layout="constrained", dpi=120)
    axes = figure.add_subplot()
    for mode in dict.fromkeys(str(trial.way.mode) for trial in trials):
        own = [trial for trial in trials if str(trial.way.mode) == mode]
        front = frontier(own)
        (line,) = axes.plot([each.p99_ms for each in front], [each.images_s for each in front], label=mode)
        axes.scatter([each.p99_ms for each in own], [each.images_s for each in own], s=12, color=line.get_color())
    axes.scatter([best.p99_ms], [best.images_s], marker="*", s=120, color="black", label="chosen", zorder=3)
    axes.set(xlabel="ms to answer 99 % of the pictures", ylabel="images/s", xscale="log", ylim=(0, None))
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path)


def frontier(trials: Sequence[Trial]) -> list[Trial]:
    """Those that are faster than all with a lower latency, by latency."""
    kept: list[Trial] = []
    for trial in sorted(trials, key=lambda each: (each.p99_ms, -each.images_s)):
        if not kept or trial.images_s > kept[-1].images_s:
            kept.append(trial)
    return kept
