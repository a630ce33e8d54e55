"""What may admit a mode: nothing that was trained on, nor another view of it."""

from pathlib import Path

import pytest

from contract import Manifest
from dataset.split_file import Example, read_split_csv
from export.fast.evidence import Evidence, choose_balanced, read_evidence
from tests.fast_bundle import write_evidence


def read(run: Path, more: Path | None = None) -> Evidence:
    labels = [entry.label for entry in Manifest.read(run / "bundle").classes]
    return read_evidence(run, labels, more, near_duplicates=0.9)


def examples_of(run: Path, split: str) -> list[Example]:
    labels = [entry.label for entry in Manifest.read(run / "bundle").classes]
    return read_split_csv(run / "split.csv", labels, split)


def test_validation_counts_with_its_labels_and_test_without(bundle: Path) -> None:
    run = bundle.parent
    found = read(run)
    assert [example.target for example in found.counted if example.target >= 0] == [
        example.target for example in examples_of(run, "val")
    ]
    unlabelled = {example.path for example in found.counted if example.target < 0}
    assert unlabelled == {example.path for example in examples_of(run, "test")}
    assert found.trained == examples_of(run, "train")


def test_further_pictures_count_each_object_once(bundle: Path, tmp_path: Path) -> None:
    more = write_evidence(tmp_path / "more", count=5)
    (more / "again.jpg").write_bytes((more / "000.jpg").read_bytes())
    found = read(bundle.parent, more)
    assert len(found.counted) == len(read(bundle.parent).counted) + 5


def test_pictures_that_were_trained_on_count_for_nothing(bundle: Path, tmp_path: Path) -> None:
    run, more = bundle.parent, write_evidence(tmp_path / "more", count=2)
    for number, example in enumerate(examples_of(run, "train")[:3]):
        (more / f"trained {number}.jpg").write_bytes(example.path.read_bytes())
    assert len(read(run, more).counted) == len(read(run).counted) + 2


def test_another_view_of_a_trained_object_counts_for_nothing(bundle: Path, tmp_path: Path) -> None:
    from PIL import Image

    run, more = bundle.parent, write_evidence(tmp_path / "more", count=1)
    with Image.open(examples_of(run, "train")[0].path) as picture:
        picture.save(more / "view.png")
    found = read(run, more)
    assert len(found.counted) == len(read(run).counted) + 1
    assert "1 image of objects that were trained on count for nothing" in " ".join(found.notes)


def test_a_bad_picture_in_the_folder_is_noted(bundle: Path, tmp_path: Path) -> None:
    more = write_evidence(tmp_path / "more", count=1)
    (more / "broken.jpg").write_bytes(b"no picture")
    assert any("broken.jpg" in note for note in read(bundle.parent, more).notes)


@pytest.mark.parametrize("count", [0, 5, 12, 100])
def test_every_class_gives_as_many_images_as_it_can(count: int) -> None:
    examples = [Example(path=Path(str(index)), target=int(index >= 10)) for index in range(13)]
    chosen = choose_balanced(examples, count)
    assert len(chosen) == min(count, 13) == len({example.path for example in chosen})
    rare = sum(example.target for example in chosen)
    assert min(3, count // 2) <= rare <= min(3, -(-count // 2))
