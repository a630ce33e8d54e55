"""Examples in, batches of pixels out: as the contract prepares them, or augmented for training."""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contract import ImageSpec
from dataset.split_file import Example
from training.config import AugmentName
from training.learning.pictures import Memory, evaluation_pictures, training_pictures
from training.recipe.augmentation import AUGMENTATIONS
from training.recipe.balance import draw_epoch

Batch = tuple[Tensor, Tensor]
# So many batches are prepared ahead for each thread: the model never waits for one slow file.
AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How training images are drawn: so many a batch, changed at random, each class equally often if `balanced`."""

    batch: int
    seed: int
    augment: AugmentName = "photo"
    balanced: bool = False


class TrainingBatches:
    """Augmented batches, [N, H, W, 3] uint8 and class indices [N]; the last, short one is dropped.

    Order and randomness depend on (seed, epoch, content of the files) alone, never on threads, names or on what ran
    before: a resumed run sees the pictures that the uninterrupted one would have seen. `epoch` is to be set before each
    pass, and `start` to the number of batches that were trained on before.
    """

    def __init__(
        self, examples: Sequence[Example], spec: ImageSpec, drawing: Drawing, workers: int, memory: Memory
    ) -> None:
        self.examples = sorted(examples, key=lambda example: example.sha256)  # names must not change the order
        self.drawing, self.batch, self.workers = drawing, min(drawing.batch, len(examples)), workers
        self.epoch, self.start = 1, 0
        self._size, self._augment = spec.size, AUGMENTATIONS[drawing.augment]
        self._pictures, self._pixels = training_pictures(spec, memory), evaluation_pictures(spec, memory)

    def __len__(self) -> int:
        return len(self.examples) // self.batch

    def __iter__(self) -> Iterator[Batch]:
        drawn = self._draw()
        starts = range(self.start * self.batch, len(self) * self.batch, self.batch)
        yield from ahead([partial(self._load, drawn[at : at + self.batch]) for at in starts], self.workers)

    def _draw(self) -> list[tuple[int, int]]:
        """The epoch's images in order, each with how often it was drawn before: no two draws look alike."""
        rng = np.random.default_rng(key(self.drawing.seed, self.epoch, -1))
        targets = [example.target for example in self.examples]
        times: Counter[int] = Counter()
        drawn = []
        for index in draw_epoch(targets, rng, balanced=self.drawing.balanced).tolist():
            drawn.append((index, times[index]))
            times[index] += 1
        return drawn

    def _load(self, drawn: Sequence[tuple[int, int]]) -> Batch:
        images = np.stack([self.image(self.examples[index], time) for index, time in drawn])
        targets = torch.tensor([self.examples[index].target for index, _ in drawn])
        return _pinned(images), targets

    def image(self, example: Example, time: int = 0) -> NDArray[np.uint8]:
        """One image as this epoch shows it, uint8 [H, W, 3]. Raises `DataError`."""
        if self._augment is None:
            return self._pixels.get(example)
        rng = np.random.default_rng(key(self.drawing.seed, self.epoch, example.sha256, time))
        return self._augment(self._pictures.get(example), self._size, rng)


class EvaluationBatches:
    """Batches in the examples' order, prepared as for serving. What fits into `memory` is decoded once."""

    def __init__(self, spec: ImageSpec, *, batch: int, workers: int, memory: Memory) -> None:
        self.batch, self.workers = batch, workers
        self._pixels = evaluation_pictures(spec, memory)

    def of(self, examples: Sequence[Example]) -> Iterator[Batch]:
        """All batches of these images."""
        parts = [examples[at : at + self.batch] for at in range(0, len(examples), self.batch)]
        yield from ahead([partial(self._load, part) for part in parts], self.workers)

    def _load(self, examples: Sequence[Example]) -> Batch:
        images = np.stack([self._pixels.get(example) for example in examples])
        return _pinned(images), torch.tensor([example.target for example in examples])


def ahead(tasks: Sequence[Callable[[], Batch]], workers: int) -> Iterator[Batch]:
    """The results of the tasks in order; `workers` threads work ahead of who takes them."""
    if not workers:
        yield from (task() for task in tasks)
        return
    pool = ThreadPoolExecutor(workers, "loader")
    try:
        left = iter(tasks)
        waiting: deque[Future[Batch]] = deque(pool.submit(task) for task in islice(left, AHEAD * workers))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(task) for task in islice(left, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _pinned(images: NDArray[np.uint8]) -> Tensor:
    tensor = torch.from_numpy(images)
    return tensor.pin_memory() if torch.cuda.is_available() else tensor


def key(*parts: int | str) -> int:
    """A 64-bit seed; unlike a sum, no two tuples share one."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8])


def default_workers(device: torch.device) -> int:
    """Threads that prepare batches: with a GPU most cores, on CPU few, as the training steps need them."""
    cores = os.cpu_count() or 1
    return min(16, cores) if device.type == "cuda" else max(1, cores // 4)
