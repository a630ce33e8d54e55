import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from contract import ImageSpec, preprocess
from dataset.errors import DataError
from dataset.split_file import Example
from tests.pictures import write_images
from training.learning.loader import Batch, Drawing, EvaluationBatches, TrainingBatches
from training.learning.pictures import Memory

SPEC = ImageSpec(size=32, resize=33)
DRAWING = Drawing(batch=4, seed=0)


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """Nine pictures in each of three classes; `sha256` stands for the content."""
    folder = write_images(tmp_path / "images", 9)
    classes = sorted(folder.iterdir())
    return [
        Example(path=path, target=target, sha256=f"{target}-{number}")
        for target, each in enumerate(classes)
        for number, path in enumerate(sorted(each.iterdir()))
    ]


def one_epoch(
    examples: list[Example], epoch: int, drawing: Drawing = DRAWING, *, workers: int = 0, start: int = 0
) -> list[Batch]:
    batches = TrainingBatches(examples, SPEC, drawing, workers, Memory())
    batches.epoch, batches.start = epoch, start
    return list(batches)


def same(first: list[Batch], second: list[Batch]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_augmentation_depends_on_seed_and_epoch_alone(examples: list[Example]) -> None:
    reference = one_epoch(examples, 3)
    torch.manual_seed(99)
    np.random.default_rng(99)
    assert same(reference, one_epoch(examples, 3))
    assert not same(reference, one_epoch(examples, 4))
    assert not same(reference, one_epoch(examples, 3, replace(DRAWING, seed=1)))


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_and_the_order_of_the_files_change_nothing(examples: list[Example], workers: int) -> None:
    assert same(one_epoch(examples, 3), one_epoch(examples[::-1], 3, workers=workers))


def test_an_epoch_goes_on_in_its_middle(examples: list[Example]) -> None:
    assert same(one_epoch(examples, 3)[2:], one_epoch(examples, 3, start=2))


def test_what_does_not_fit_into_memory_looks_the_same(examples: list[Example]) -> None:
    batches = TrainingBatches(examples, SPEC, DRAWING, 0, Memory(0))
    assert same(one_epoch(examples, 1), list(batches))


def test_every_image_is_seen_once_an_epoch(examples: list[Example]) -> None:
    targets = torch.cat([targets for _, targets in one_epoch(examples[:8], 1)])
    assert sorted(targets.tolist()) == sorted(example.target for example in examples[:8])


def test_a_short_last_batch_is_dropped(examples: list[Example]) -> None:
    assert [len(targets) for _, targets in one_epoch(examples[:11], 1)] == [4, 4]


def test_balanced_classes_are_drawn_equally_often_and_never_look_alike(examples: list[Example]) -> None:
    few = [*examples[:9], examples[9], *examples[18:20]]
    batches = one_epoch(few, 1, replace(DRAWING, balanced=True))
    assert Counter(torch.cat([targets for _, targets in batches]).tolist()) == {0: 4, 1: 4, 2: 4}
    alone = torch.cat([images[targets == 1] for images, targets in batches])
    assert len(torch.unique(alone, dim=0)) == 4


def test_evaluation_gives_the_contracts_pixels_in_order(examples: list[Example]) -> None:
    held_out = EvaluationBatches(SPEC, batch=5, workers=1, memory=Memory())
    for _ in range(2):
        images, targets = next(iter(held_out.of(examples)))
        assert targets.tolist() == [example.target for example in examples[:5]]
        assert torch.equal(images[2], torch.from_numpy(preprocess(examples[2].path.read_bytes(), SPEC).copy()))


def test_without_augmentation_training_sees_what_is_served(examples: list[Example]) -> None:
    batches = TrainingBatches(examples, SPEC, replace(DRAWING, augment="none"), 0, Memory())
    example = examples[3]
    assert np.array_equal(batches.image(example), preprocess(example.path.read_bytes(), SPEC))


def test_a_picture_that_turns_bad_is_named(examples: list[Example]) -> None:
    examples[5].path.write_bytes(b"no longer a picture")
    with pytest.raises(
        DataError, match=rf"{re.escape(examples[5].path.name)} could be read when training began, and now can't"
    ):
        one_epoch(examples, 1, workers=2)
