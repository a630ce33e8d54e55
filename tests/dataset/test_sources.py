from pathlib import Path

import pytest

from dataset.errors import DataError
from dataset.sources import read_source
from tests.pictures import write_images, write_splits


def counts(source: Path) -> dict[tuple[str | None, str], int]:
    entries = read_source(source)
    keys = {(entry.split, entry.label) for entry in entries}
    return {key: sum((entry.split, entry.label) == key for entry in entries) for key in keys}


def test_class_folders_have_no_split(tmp_path: Path) -> None:
    assert counts(write_images(tmp_path / "d", 2)) == {(None, "blue"): 2, (None, "grün"): 2, (None, "red"): 2}


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_split_folders_keep_their_split(tmp_path: Path, validation: str) -> None:
    write_splits(tmp_path, "train", validation, "test", count=1)
    assert set(counts(tmp_path)) == {
        (split, label) for split in ("train", "val", "test") for label in ("blue", "grün", "red")
    }


def test_odd_names_and_hidden_files(tmp_path: Path) -> None:
    write_images(tmp_path, 1)
    deep = tmp_path / "red" / "by (day) [2]"
    deep.mkdir()
    (deep / "Ä b.JPG").write_bytes(b"x")
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / "red" / name).write_bytes(b"x")
    (tmp_path / ".cache").mkdir()
    assert [entry.path.name for entry in read_source(tmp_path) if entry.label == "red"] == ["Ä b.JPG", "red (0).JPG"]


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "index.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_paths_are_relative_to_it(tmp_path: Path) -> None:
    path = write_csv(tmp_path, "path,label,split,group\na/1.jpg,x,train,leaf1\n../2.jpg,y,train,\n")
    first, second = sorted(read_source(path), key=lambda entry: entry.label)
    assert (first.path, first.label, first.split, first.group) == (tmp_path / "a/1.jpg", "x", "train", "leaf1")
    assert (second.path, second.group) == (tmp_path.parent / "2.jpg", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class\n", r"columns \['file', 'class'\]; expected path,label"),
        ("", "columns None"),
        ("path,label\n", "has no images"),
        ("path,label\na,\n", "line 2: path or label is missing"),
        ("path,label,split\na,x,dev\n", "line 2: split 'dev'; expected train, val or test"),
        ("path,label,split\na,x,train\nb,y,\n", "has a split for some images only"),
        ("path,label\na,x\nb,x\n", r"only one class \(x\)"),
        ("path,label,split\na,x,train\nb,y,train\nc,x,val\n", "val has no y"),
    ],
)
def test_csv_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_source(write_csv(tmp_path, text))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor a CSV"):
        read_source(tmp_path / "nowhere")


def test_folder_without_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no class folders"):
        read_source(tmp_path)


def test_empty_class_folders_are_listed(tmp_path: Path) -> None:
    write_images(tmp_path, 1)
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match=r"class folders without files: .*void"):
        read_source(tmp_path)


def test_one_class_only(tmp_path: Path) -> None:
    write_images(tmp_path, 1, {"red": (200, 0, 0)})
    with pytest.raises(DataError, match=r"only one class \(red\)"):
        read_source(tmp_path)


def test_class_missing_from_a_split(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", count=1)
    write_images(tmp_path / "val", 1, {"red": (200, 0, 0)})
    with pytest.raises(DataError, match="val has no blue; val has no grün"):
        read_source(tmp_path)


def test_train_folder_alone(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", count=1)
    with pytest.raises(DataError, match="has train/ but neither val/"):
        read_source(tmp_path)
