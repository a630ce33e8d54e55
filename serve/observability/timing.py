"""Where a request's time went: seconds by stage in; the header Server-Timing (W3C), and what was when, out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from serve.observability.metrics import ModelId
from serve.observability.statistics import Statistics


class Answered(Protocol):
    """One picture's way."""

    @property
    def queue_s(self) -> float:
        """How long it waited."""

    @property
    def inference_s(self) -> float:
        """How long its batch took."""

    @property
    def batch(self) -> int:
        """Images that were answered together."""


class Stage(NamedTuple):
    """A part of a request's way; its start and end are moments of `time.perf_counter`."""

    name: str
    start: float
    end: float
    batch: int | None = None


@dataclass
class Timing:
    """One request's stages, named as in the histograms of `/metrics`; of several pictures the slowest counts."""

    started: float = field(default_factory=time.perf_counter)
    model: ModelId = field(default_factory=ModelId)
    statistics: Statistics | None = None
    """Those of its model, once it is found."""
    mode: str = ""
    """In which its model is run: provider and precision."""
    read_s: float | None = None
    """How long its body took to come, which is its client's time."""
    decode_s: float | None = None
    queue_s: float | None = None
    inference_s: float | None = None
    batch: int | None = None
    ended: float | None = None
    way: list[Stage] = field(default_factory=list)
    """The stages one after another. Of several pictures it is the way of the one answered last, for which the request
    waited; the slowest of each stage may be different pictures, which were under way at once."""

    @property
    def total_s(self) -> float:
        """How long the server has been at it: since the request came, without the time its body took to come."""
        return (self.ended or time.perf_counter()) - self.started - (self.read_s or 0.0)

    def end(self) -> None:
        """The answer is there."""
        self.ended = time.perf_counter()

    def find(self, model: ModelId, statistics: Statistics, mode: str) -> None:
        """The request is for this model."""
        self.model, self.statistics, self.mode = model, statistics, mode

    def note_decoding(self, started: float) -> None:
        """Its pictures have been decoded since then, or it ends while they are."""
        now = time.perf_counter()
        self.decode_s = now - started
        self.way = [Stage("decode", started, now)]

    def note_waiting(self, started: float) -> None:
        """It ends without an answer, for which it has waited since then."""
        self.way.append(Stage("queue", started, time.perf_counter()))

    def note(self, answered: Sequence[Answered]) -> None:
        """Take the stages of a request's pictures that were answered: backwards from now, each ended when the next one
        began.
        """
        if not answered:
            return
        self.queue_s = max(entry.queue_s for entry in answered)
        self.inference_s = max(entry.inference_s for entry in answered)
        self.batch = max(entry.batch for entry in answered)
        last = max(answered, key=lambda entry: entry.queue_s + entry.inference_s)
        end = time.perf_counter()
        begun = end - last.inference_s
        self.way += [Stage("queue", begun - last.queue_s, begun), Stage("inference", begun, end, last.batch)]

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by stage, of those that the request has been through."""
        known = {"decode": self.decode_s, "queue": self.queue_s, "inference": self.inference_s, "total": self.total_s}
        return {name: seconds for name, seconds in known.items() if seconds is not None}

    @property
    def header(self) -> str:
        """The header's value: durations in ms, how many images were answered together, and in which mode."""
        parts = [f"{name};dur={1000 * seconds:.2f}" for name, seconds in self.stages.items()]
        if self.batch is not None:
            parts += [f'batch;desc="{self.batch}"', f'mode;desc="{self.mode}"']
        return ", ".join(parts)
