"""Examples in, batches of pixels out: as the contract prepares them, or augmented for training."""

import hashlib
import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from contract import ImageSpec, decode_image, preprocess
from dataset.split_file import Example
from training.recipe.augmentation import augmentation

Batch = tuple[Tensor, Tensor]


class EvaluationImages(Dataset[Batch]):
    """Images exactly as they will be served: (uint8 [H, W, 3], class index)."""

    def __init__(self, examples: Sequence[Example], spec: ImageSpec) -> None:
        self.examples, self.spec = examples, spec

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Batch:
        example = self.examples[index]
        pixels = preprocess(example.path.read_bytes(), self.spec)
        return torch.from_numpy(pixels.copy()), torch.tensor(example.target)


class TrainingImages(Dataset[Batch]):
    """Randomly cropped, flipped and relit images: (uint8 [H, W, 3], class index).

    Randomness depends on (seed, epoch, content of the file) alone, never on workers, names or on what ran before: a
    resumed run sees the pictures the uninterrupted one would have seen.
    """

    def __init__(self, examples: Sequence[Example], spec: ImageSpec, seed: int) -> None:
        self.examples, self.spec, self.seed = examples, spec, seed
        self.augment = augmentation(spec)

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        epoch, index = key
        example = self.examples[index]
        image = decode_image(example.path.read_bytes(), shorter_side=self.spec.resize, depth=self.spec.depth)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_key(self.seed, epoch, example.sha256))
            image = self.augment(image)
        return torch.from_numpy(np.array(image)), torch.tensor(example.target)


class EpochSampler(Sampler[tuple[int, int]]):
    """(epoch, index) pairs in an order that depends on (seed, epoch) alone."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        generator = torch.Generator().manual_seed(_key(self.seed, self.epoch, -1))
        for index in torch.randperm(self.count, generator=generator).tolist():
            yield self.epoch, index


def _key(*parts: int | str) -> int:
    """A 63-bit seed; unlike a sum, no two tuples share one."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8]) >> 1


def training_loader(
    examples: Sequence[Example], spec: ImageSpec, *, batch: int, seed: int, workers: int
) -> tuple["DataLoader[Batch]", EpochSampler]:
    """Augmented batches, and the sampler whose `epoch` is to be set before each pass.

    A short last batch is dropped: few images make noisy gradients and statistics. Each epoch drops others.
    """
    examples = sorted(examples, key=lambda example: example.sha256)  # names must not change the order
    sampler = EpochSampler(len(examples), seed)
    loader = DataLoader(
        TrainingImages(examples, spec, seed),
        batch_size=min(batch, len(examples)),
        sampler=sampler,
        num_workers=workers,
        drop_last=True,
        pin_memory=torch.cuda.is_available(),
    )
    return loader, sampler


def evaluation_loader(examples: Sequence[Example], spec: ImageSpec, *, batch: int, workers: int) -> "DataLoader[Batch]":
    """Batches in the examples' order, prepared as for serving."""
    return DataLoader(
        EvaluationImages(examples, spec), batch_size=batch, num_workers=workers, pin_memory=torch.cuda.is_available()
    )


def default_workers(device: torch.device) -> int:
    """Decoding processes: with a GPU most cores, on CPU few, as the training steps need them."""
    cores = os.cpu_count() or 1
    return min(16, cores) if device.type == "cuda" else cores // 4
