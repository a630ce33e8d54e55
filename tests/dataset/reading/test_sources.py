from pathlib import Path

import pytest

from dataset.errors import DataError
from dataset.reading.sources import read_source
from tests.pictures import write_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "d", 9, {"common": (9, 9, 9), "usual": (99, 9, 9)})
    return write_images(tmp_path / "d", 2, {"rare": (9, 9, 99)}).parent / "d"


def labels(folder: Path, **choice: object) -> set[str]:
    return {entry.label for entry in read_source(folder, **choice).entries}  # type: ignore[arg-type]


def test_classes_can_be_chosen(folder: Path) -> None:
    source = read_source(folder, classes=["common", "rare"])
    assert {entry.label for entry in source.entries} == {"common", "rare"}
    assert source.notes == ["these classes were left out, as asked: usual (9 images)"]


def test_small_classes_can_be_left_out(folder: Path) -> None:
    source = read_source(folder, min_images=3)
    assert {entry.label for entry in source.entries} == {"common", "usual"}
    assert source.notes == ["these classes were left out, as asked: rare (2 images)"]


def test_a_class_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"has no class blue, red; it has common, rare, usual"):
        read_source(folder, classes=["red", "common", "blue"])


@pytest.mark.parametrize(("min_images", "message"), [(10, "no class that is not left out"), (9, "")])
def test_too_few_classes_left_are_refused(folder: Path, min_images: int, message: str) -> None:
    if not message:
        assert labels(folder, min_images=min_images) == {"common", "usual"}
        return
    with pytest.raises(DataError, match=message):
        read_source(folder, min_images=min_images)


def test_a_single_class_is_taken_where_one_is_enough(folder: Path) -> None:
    assert labels(folder, classes=["rare"], to_train=False) == {"rare"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *((f"pictures{suffix}", "is an archive; unpack it") for suffix in (".zip", ".tar.gz", ".tgz", ".7z", ".RAR")),
        *((f"index{suffix}", "is a workbook; save its sheet as CSV UTF-8") for suffix in (".xlsx", ".xls", ".ods")),
        ("leaf.jpg", "is neither a folder nor a CSV file"),
    ],
)
def test_other_files_say_what_to_do(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=message):
        read_source(tmp_path / name)
