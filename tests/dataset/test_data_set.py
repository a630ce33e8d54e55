import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataset.config import DataOptions
from dataset.data_set import DataSet, load_data
from dataset.errors import DataError
from dataset.split_file import read_split_csv, write_split_csv
from tests.pictures import TINTS, draw, encode, write_images, write_splits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_images(tmp_path / "data", 5)


def load(source: Path, *, skip_unreadable: bool = False, names: Path | None = None) -> DataSet:
    return load_data(DataOptions(data=source, skip_unreadable=skip_unreadable, names=names))


def test_load_gives_sorted_classes_and_three_splits(folder: Path) -> None:
    data = load(folder)
    assert data.labels == ["blue", "grün", "red"]
    assert {split: data.count(split) for split in data.splits} == {
        "train": {"blue": 3, "grün": 3, "red": 3},
        "val": {"blue": 1, "grün": 1, "red": 1},
        "test": {"blue": 1, "grün": 1, "red": 1},
    }
    assert data.warnings == []


def test_unreadable_files_are_listed_and_stop(folder: Path) -> None:
    Image.new("P", (9, 9)).save(folder / "red" / "animation.jpg", "GIF")
    (folder / "blue" / "cut.jpg").write_bytes(encode(draw((64, 64), TINTS["blue"], 1))[:500])
    (folder / "blue" / "notes.txt").write_text("remember")
    with pytest.raises(DataError) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith("3 files can't be read as an image:\n")
    assert f"{folder}/red/animation.jpg: this is GIF; expected JPEG, PNG, WebP, HEIC, AVIF or BMP" in message
    assert f"{folder}/blue/cut.jpg: the image is damaged or truncated" in message
    assert message.endswith("SKIP_UNREADABLE=1")


def test_unreadable_files_are_counted_when_skipped(folder: Path) -> None:
    (folder / "blue" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    data = load(folder, skip_unreadable=True)
    assert data.warnings[0].startswith("Unreadable files were skipped (1):\n")
    assert sum(data.count(split)["blue"] for split in data.splits) == 5


def test_skipping_must_not_empty_a_class(folder: Path) -> None:
    for path in (folder / "blue").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="has no readable training images of blue"):
        load(folder, skip_unreadable=True)


def test_one_object_a_class_is_nothing_to_validate_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to validate on"):
        load(write_images(tmp_path, 1))


def test_objects_that_cross_given_splits_are_listed(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", "val", "test")
    source, copy = tmp_path / "train/red/red (0).JPG", tmp_path / "test/red/again.jpg"
    Image.open(source).point(lambda value: value * 0.7).save(copy)
    data = load(tmp_path)
    assert data.warnings == [
        "Images of one object are in several of the splits that were given, which makes the measured accuracy too "
        f"high. The test figure is also given without them (1):\n  {copy} (test, red) = {source} (train, red)"
    ]
    assert [path.name for path, touched in zip(paths(data, "test"), data.touched("test"), strict=True) if touched] == [
        "again.jpg"
    ]


def paths(data: DataSet, split: str) -> list[Path]:
    return [example.path for example in data.splits[split]]


def test_identical_images_in_several_classes_are_a_wrong_label(folder: Path) -> None:
    source, copy = folder / "red/red (0).JPG", folder / "blue/again.jpg"
    shutil.copy(source, copy)
    (warning,) = load(folder).warnings
    assert warning.startswith("The same image is in several classes, so a label is wrong (1):\n")
    assert f"{copy} (" in warning
    assert f"{source} (" in warning


@pytest.mark.parametrize("group", ["", "leaf"])
def test_identical_images_stay_in_one_split_whatever_their_groups(folder: Path, tmp_path: Path, group: str) -> None:
    rows = ["path,label,group"]
    for number in range(9):
        shutil.copy(folder / "red/red (0).JPG", folder / f"red/copy {number}.jpg")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        rows.append(f"{path},{path.parent.name},{group and group + str(number)}")
    table = tmp_path / "table.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = load(table)
    homes = [split for split in data.splits for path in paths(data, split) if path.name.startswith("copy")]
    assert len(homes) == 9
    assert len(set(homes)) == 1


def test_near_duplicates_can_be_told_apart(folder: Path) -> None:
    for number in range(9):
        Image.open(folder / "red/red (0).JPG").point(lambda value, n=number: value - n).save(
            folder / f"red/{number}.png"
        )
    assert len(load(folder).clusters) == 1
    assert load_data(DataOptions(data=folder, near_duplicates=1)).clusters == []


def test_an_old_split_is_kept_and_new_images_join_it(folder: Path, tmp_path: Path) -> None:
    data = load(folder)
    write_split_csv(data.labels, data.splits, tmp_path / "split.csv")
    moved = folder.rename(tmp_path / "elsewhere")
    write_images(tmp_path / "more", 12, first_seed=77)
    for path in (tmp_path / "more").rglob("*.JPG"):
        shutil.copy(path, moved / path.parent.name / f"more {path.name}")
    now = load_data(DataOptions(data=moved, split=tmp_path / "split.csv", seed=5))
    for split, examples in data.splits.items():
        assert {example.sha256 for example in examples} <= {example.sha256 for example in now.splits[split]}
    assert sum(map(len, now.splits.values())) == 15 + 36


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist; expected the split.csv of an earlier run"),
        ("path,label\na,b\n", r"is not the split.csv of a run \('sha256'\)"),
        ("path,label,split,sha256\n", "has no images with a split"),
        ("path,label,split,sha256\na,b,dev,00\n", "has no images with a split"),
    ],
)
def test_a_file_that_is_no_old_split_is_refused(folder: Path, tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "split.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_data(DataOptions(data=folder, split=path))


def test_an_old_split_for_data_with_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has splits of its own"):
        load_data(DataOptions(data=write_splits(tmp_path, "train", "val"), split=tmp_path / "split.csv"))


def test_missing_test_split_is_said(tmp_path: Path) -> None:
    assert load(write_splits(tmp_path, "train", "valid")).warnings[0].startswith("There is no test split")


def test_fingerprint_changes_with_content_not_with_place(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert load(moved).fingerprint == load(folder).fingerprint
    (moved / "red/red (0).JPG").write_bytes(encode(draw((40, 40), TINTS["red"], 99)))
    assert load(moved).fingerprint != load(folder).fingerprint


def test_names_are_found_beside_the_classes(folder: Path) -> None:
    (folder / "names.json").write_text(json.dumps({"blue": "蓝", "grün": "绿", "red": "红"}), encoding="utf-8")
    assert [entry.display_name for entry in load(folder).classes] == ["蓝", "绿", "红"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('["red"]', "missing: blue, grün, red; unknown: 0"),
        ('{"red": 1}', "expected a JSON object"),
        ('{"red": "r", "pink": "p"}', "missing: blue, grün; unknown: pink"),
    ],
)
def test_names_mistakes_are_named(folder: Path, text: str, message: str) -> None:
    names = folder.parent / "my names.json"
    names.write_text(text)
    with pytest.raises(DataError, match=message):
        load(folder, names=names)


def test_split_csv_gives_the_same_split_again(folder: Path, tmp_path: Path) -> None:
    data = load(folder)
    path = tmp_path / "run" / "split.csv"
    path.parent.mkdir()
    write_split_csv(data.labels, data.splits, path)
    assert load_data(DataOptions(data=path, seed=99)).fingerprint == data.fingerprint
    assert read_split_csv(path, data.labels, "val") == data.splits["val"]


def test_natural_oddities(shared_data: Path, tmp_path: Path) -> None:
    classes = {"Blight": (120, 140, 60), "Gray_Leaf_Spot": (90, 120, 80)}
    for index, split in enumerate(("train", "val", "test")):
        write_images(tmp_path / split, 2, classes, first_seed=10_000 * index)
    pairs = shared_data / "oddities" / "corn_dup_pairs"
    for picture in pairs.rglob("*.*"):
        shutil.copyfile(picture, tmp_path / picture.relative_to(pairs))
    wrong_labels, crossing = load(tmp_path).warnings
    assert wrong_labels.startswith("The same image is in several classes, so a label is wrong (2)")
    assert "(2):" in crossing
    assert crossing.startswith("Images of one object are in several of the splits")
    shutil.copy(shared_data / "oddities" / "imageNotFound.gif", tmp_path / "train" / "Blight")
    with pytest.raises(DataError, match=r"imageNotFound\.gif: this is GIF"):
        load(tmp_path)


def test_real_folders_load(shared_data: Path) -> None:
    corn = load(shared_data / "corn_leaf")
    assert corn.count("test") == {"Blight": 56, "Common_Rust": 60, "Gray_Leaf_Spot": 60, "Healthy": 60}
    assert list(load(shared_data / "hymenoptera").splits) == ["train", "val"]
    tiles = load(shared_data / "magnetic_tile")
    assert [tiles.count(split)["MT_Fray"] for split in ("train", "val", "test")] == [9, 4, 3]


@pytest.mark.parametrize(("largest", "depth"), [(4095, 12), (3000, 12), (16383, 14), (65535, 16), (255, 8)])
def test_the_bits_that_16_bit_files_use_are_found(tmp_path: Path, largest: int, depth: int) -> None:
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(4):
            pixels = rng.integers(0, largest, (40, 40), endpoint=True).astype(np.uint16)
            pixels[0, 0] = largest
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.png")
    data = load(tmp_path)
    assert data.depth == depth
    assert {picture.mode for picture in data.pictures.values()} == {"I;16"}
    assert data.clusters == []  # thumbnails that were nearly black would all be alike
