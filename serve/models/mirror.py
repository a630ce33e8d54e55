"""Some of a stable model's requests in, how its canary's answers differ out; behind the answers, never in their way.

As shadow traffic: what the canary says reaches nobody, it is only counted.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from contract import ImageError
from contract.graph import Outputs
from contract.request_error import RequestError
from serve.models.served_model import ServedModel
from serve.observability.timing import Timing
from serve.scheduling.batcher import Pixels

MOST_AT_ONCE = 64
# Of the longest wait that is accepted: where pictures wait longer than this, there is no time for a second opinion.
BUSY = 0.25
TIMEOUT_S = 10.0
Work = Callable[[], Awaitable[Sequence[Outputs | ImageError]]]


class Mirror:
    """Repeats a `share` of what `stable` was asked on `canary`."""

    def __init__(self, stable: ServedModel, canary: ServedModel, share: float) -> None:
        self.stable, self.canary, self.share = stable, canary, share
        self._running: set[asyncio.Task[None]] = set()

    def files(self, pictures: Sequence[bytes], results: Sequence[Outputs | ImageError]) -> None:
        """Picture files that were answered; those that could not be read are left out."""
        good = [(data, said) for data, said in zip(pictures, results, strict=True) if isinstance(said, Outputs)]
        if good and self._chosen(len(good)):
            asked, said = zip(*good, strict=True)
            self._start(partial(self.canary.run_files, asked, time.perf_counter() + TIMEOUT_S, Timing()), said)

    def pixels(self, images: Sequence[Pixels], results: Sequence[Outputs]) -> None:
        """Pixels that were answered, if the canary takes such ones."""
        fits = self.stable.model.manifest.image.size == self.canary.model.manifest.image.size
        if fits and self._chosen(len(images)):
            self._start(partial(self.canary.run_pixels, images, time.perf_counter() + TIMEOUT_S, Timing()), results)

    def close(self) -> None:
        """Leave what is not answered yet."""
        for task in self._running:
            task.cancel()

    def _chosen(self, count: int) -> bool:
        if random.random() >= self.share:
            return False
        busy = max(self.stable.admission.load, self.canary.admission.load) > BUSY
        if busy or len(self._running) >= MOST_AT_ONCE:
            self._count("skipped", count)
            return False
        return True

    def _start(self, work: Work, said: Sequence[Outputs]) -> None:
        self.canary.acquire()
        task = asyncio.create_task(self._compare(work, said))
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.canary.release()

    async def _compare(self, work: Work, said: Sequence[Outputs]) -> None:
        try:
            for stable, canary in zip(said, await work(), strict=True):
                self._note(stable, canary)
        except RequestError:  # its queue was too long after all
            self._count("skipped", len(said))
        except Exception:  # its session: whoever watches over the canary says so; here it is one more way to differ
            self._count("failed", len(said))

    def _note(self, stable: Outputs, canary: Outputs | ImageError) -> None:
        if isinstance(canary, ImageError):
            self._count("failed", 1)
            return
        best = self.stable.answers.best(stable)
        self._count("same" if best == self.canary.answers.best(canary) else "different", 1)
        difference = abs(self.stable.answers.probability(stable, best) - self.canary.answers.probability(canary, best))
        self.stable.metrics.mirror_difference.labels(*self.canary.id).observe(difference)

    def _count(self, result: str, pictures: int) -> None:
        self.stable.metrics.mirrored.labels(*self.canary.id, result).inc(pictures)
