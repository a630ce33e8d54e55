from pathlib import Path

import pytest
import torch

from contract import ImageSpec, preprocess
from dataset.config import DataOptions
from dataset.data_set import load_data
from dataset.split_file import Example
from training.learning.loader import evaluation_loader, training_loader

SPEC = ImageSpec(size=32, resize=33)


@pytest.fixture(scope="module")
def examples(images: Path) -> list[Example]:
    return load_data(DataOptions(data=images)).splits["train"]


def one_epoch(examples: list[Example], epoch: int, *, seed: int = 0, workers: int = 0) -> list[torch.Tensor]:
    loader, sampler = training_loader(examples, SPEC, batch=4, seed=seed, workers=workers)
    sampler.epoch = epoch
    return [tensor for batch in loader for tensor in batch]


def same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_augmentation_depends_on_seed_and_epoch_alone(examples: list[Example]) -> None:
    reference = one_epoch(examples, 3)
    torch.manual_seed(99)
    assert same(reference, one_epoch(examples, 3))
    assert not same(reference, one_epoch(examples, 4))
    assert not same(reference, one_epoch(examples, 3, seed=1))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_augmentation_does_not_depend_on_workers(examples: list[Example]) -> None:
    assert same(one_epoch(examples, 3), one_epoch(examples, 3, workers=2))


def test_every_image_is_seen_once_an_epoch(examples: list[Example]) -> None:
    targets = torch.cat(one_epoch(examples[:8], 1)[1::2])
    assert sorted(targets.tolist()) == sorted(example.target for example in examples[:8])


def test_a_short_last_batch_is_dropped(examples: list[Example]) -> None:
    batches = one_epoch(examples[:11], 1)[1::2]
    assert [len(batch) for batch in batches] == [4, 4]


def test_evaluation_gives_the_contracts_pixels_in_order(examples: list[Example]) -> None:
    images, targets = next(iter(evaluation_loader(examples, SPEC, batch=5, workers=0)))
    assert targets.tolist() == [example.target for example in examples[:5]]
    expected = preprocess(examples[2].path.read_bytes(), SPEC)
    assert torch.equal(images[2], torch.from_numpy(expected.copy()))
