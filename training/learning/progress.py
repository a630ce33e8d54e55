"""What a person sees while training runs: one bar for the whole run, one line per epoch."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich import get_console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.1f} images/s")


class Meter:
    """Counts images and shows the bar."""

    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total, completed=done, loss="")

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Name the epoch that begins."""
        self._progress.update(self._task, description=f"epoch {epoch}/{epochs}")

    def step(self, images: int, loss: float) -> None:
        """Note that a step on `images` images ended with `loss`."""
        self._progress.update(self._task, advance=images, loss=f"loss {loss:.3f}")

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(line, highlight=False, soft_wrap=True)


@contextmanager
def training_progress(total: int, done: int) -> Iterator[Meter]:
    """A live bar over `total` images, `done` of which were seen before a resume."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        _SpeedColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(
        *columns, transient=True, speed_estimate_period=60, disable=not get_console().is_terminal
    ) as progress:
        yield Meter(progress, total, done)
