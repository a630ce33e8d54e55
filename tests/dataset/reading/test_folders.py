import os
import shutil
import socket
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from dataset.errors import DataError
from dataset.reading.entries import Source, split_of
from dataset.reading.sources import read_source
from tests.pictures import write_images, write_splits

CATS = {"cat": (200, 90, 10), "dog": (10, 90, 200)}


def pets(folder: Path, count: int = 5) -> Path:
    return write_images(folder, count, CATS)


def counts(source: Source) -> Counter[tuple[str | None, str]]:
    return Counter((entry.split, entry.label) for entry in source.entries)


def test_class_folders_have_no_split(tmp_path: Path) -> None:
    source = read_source(pets(tmp_path / "d"))
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert source.notes == []


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(
            (name, "train")
            for name in ("train", "TRAIN", "training", "Train Data", "seg_train", "train_set", "train2017")
        ),
        *(
            (name, "train")
            for name in ("training-images", "trainset", "训练集", "Ｔｒａｉｎ", "x_train", "train_images_resized")
        ),
        *(
            (name, "val")
            for name in ("val", "valid", "Validation", "dev", "val_images", "validation set", "验证集", "eval")
        ),
        *(
            (name, "test")
            for name in ("test", "Testing", "seg_test", "Test Images", "test-data", "测试", "tests", "test_split_224")
        ),
        *((name, None) for name in ("holdout", "trains", "terrain", "testament", "valley", "cat", "12", "train_cat")),
    ],
)
def test_usual_words_for_splits_are_known(name: str, split: str | None) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Train Data", "valid", "Test Data"),
        ("seg_train", "seg_test"),
        ("Training", "Testing"),
    ],
)
def test_split_folders_keep_their_split(tmp_path: Path, names: tuple[str, ...]) -> None:
    source = read_source(write_splits(tmp_path, *names, count=1))
    assert set(counts(source)) == {(split_of(name), label) for name in names for label in ("blue", "grün", "red")}
    assert source.notes == []


@pytest.mark.parametrize(
    "junk",
    [
        ".ipynb_checkpoints/dog-checkpoint.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "._a.jpg", ".DS_Store",
        "Thumbs.db", "desktop.ini", "inner/.cache/deep/x.jpg", "__MACOSX/cat/._a.jpg", "#recycle/b.jpg",
        "$RECYCLE.BIN/c.jpg", "Icon\r", "a.jpg:Zone.Identifier", "a.jpg@SynoEAStream", "~$counts.xlsx", "LOST.DIR/a",
        "Network Trash Folder/a.jpg", "@Recently-Snapshot/a.jpg",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["cat", "."])
def test_what_systems_leave_is_no_image_at_any_depth(tmp_path: Path, junk: str, place: str) -> None:
    folder = pets(tmp_path / "d")
    path = folder / place / junk
    if place == "." and path.parent.name == "deep":
        pytest.skip("a folder beside the classes is a class")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "dog" / "dog (0).JPG", path)
    source = read_source(folder)
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert source.notes == []


def test_odd_names_and_folders_in_classes_are_taken(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d", 1)
    deep = folder / "cat" / "by (day) [2]"
    deep.mkdir()
    (deep / "Ä b.JPG").write_bytes(b"x")
    assert [entry.path.name for entry in read_source(folder).entries if entry.label == "cat"] == [
        "Ä b.JPG",
        "cat (0).JPG",
    ]


def test_links_are_followed(tmp_path: Path) -> None:
    folder, other = pets(tmp_path / "d"), write_images(tmp_path / "more", 8, {"cat": (0, 9, 9)})
    (folder / "cat" / "linked").symlink_to(other / "cat")
    (folder / "dog" / "one.jpg").symlink_to(other / "cat" / "cat (0).JPG")
    assert counts(read_source(folder)) == {(None, "cat"): 13, (None, "dog"): 6}


def test_links_in_a_circle_are_left_out_with_a_word(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    (folder / "cat" / "again").symlink_to(folder)
    (folder / "dog" / "again").symlink_to(folder / "dog")
    source = read_source(folder)
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert sum("leads back to a folder that holds it, and was left out" in note for note in source.notes) == 2


def test_what_can_be_no_image_is_named_all_at_once(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    for number in range(3):
        (folder / "cat" / f"gone{number}.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "dog" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "dog" / "s.jpg"))
        with pytest.raises(DataError) as caught:
            read_source(folder)
    message = str(caught.value)
    assert message.count("is a link that leads nowhere") == 3
    assert message.count("is no file") == 2
    assert message.endswith("Repair or remove them")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    (folder / "cat").chmod(0)
    with pytest.raises(DataError, match="cat: Permission denied"):
        read_source(folder)
    (folder / "cat").chmod(0o700)


@pytest.mark.parametrize("inner", ["PlantVillage", "a/b"])
def test_a_single_folder_inside_is_entered_with_a_word(tmp_path: Path, inner: str) -> None:
    pets(tmp_path / "d" / inner)
    source = read_source(tmp_path / "d")
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert len(source.notes) == len(inner.split("/"))
    assert "the only folder in" in source.notes[0]


def test_a_single_folder_inside_is_entered_past_loose_files(tmp_path: Path) -> None:
    pets(tmp_path / "d" / "set")
    (tmp_path / "d" / "set" / "notes.txt").write_text("mine")
    source = read_source(tmp_path / "d")
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert source.notes[1:] == [
        f"left out, as it is in no class: 1 file straight in {tmp_path / 'd' / 'set'}: notes.txt"
    ]


def test_a_single_folder_with_pictures_and_folders_is_not_guessed_at(tmp_path: Path) -> None:
    inner = pets(tmp_path / "d" / "set")
    shutil.copy(inner / "cat" / "cat (0).JPG", inner)
    with pytest.raises(
        DataError, match=r"only one class \(set\); .*; if the folders in set are the classes, set DATA=.*set"
    ):
        read_source(tmp_path / "d")


def test_variants_side_by_side_are_refused(tmp_path: Path) -> None:
    for variant in ("color", "grayscale", "segmented"):
        pets(tmp_path / "d" / variant)
    with pytest.raises(DataError) as caught:
        read_source(tmp_path / "d")
    assert f"color, grayscale, segmented in {tmp_path / 'd'} all have the same folders (cat, dog)" in str(caught.value)
    assert f"DATA={tmp_path / 'd' / 'color'}" in str(caught.value)


def test_variants_with_splits_are_refused(tmp_path: Path) -> None:
    for variant in ("color", "grayscale"):
        write_splits(tmp_path / "d" / variant, "train", "val")
    with pytest.raises(DataError, match="look like variants of one set"):
        read_source(tmp_path / "d")


@pytest.mark.parametrize("beside", ["README.md", "PlantVillage.zip", "labels.csv"])
def test_documents_beside_a_single_folder_make_no_difference(tmp_path: Path, beside: str) -> None:
    pets(tmp_path / "d" / "PlantVillage")
    (tmp_path / "d" / beside).write_text("mine")
    source = read_source(tmp_path / "d")
    assert counts(source) == {(None, "cat"): 5, (None, "dog"): 5}
    assert any(beside in note for note in source.notes) == (beside != "README.md")


def test_variants_need_not_be_complete_or_tidy(tmp_path: Path) -> None:
    pets(tmp_path / "color", 1)
    write_images(tmp_path / "segmented", 1, {**CATS, "fox": (9, 9, 9)})
    (tmp_path / "segmented" / "about.txt").write_text("mine")
    with pytest.raises(DataError, match=r"color, segmented in .* look like variants of one set"):
        read_source(tmp_path)


def test_days_that_some_classes_share_are_no_variants(tmp_path: Path) -> None:
    for label, days in {"cat": (1, 2, 3), "dog": (2, 3)}.items():
        write_images(tmp_path / label, 1, {f"2024-05-0{day}": (9, 9, 9) for day in days})
    assert counts(read_source(tmp_path)) == {(None, "cat"): 3, (None, "dog"): 2}


def test_a_copy_of_the_classes_beside_them_is_refused(tmp_path: Path) -> None:
    pets(pets(tmp_path, 1) / "augmented", 1)
    with pytest.raises(DataError, match=r"augmented has folders that are called as the classes .* \(cat, dog\)"):
        read_source(tmp_path)


def test_splits_inside_the_classes_are_refused(tmp_path: Path) -> None:
    for label in CATS:
        write_images(tmp_path / label, 1, {"train": (9, 9, 9), "test": (99, 9, 9)})
    with pytest.raises(DataError, match="expected it the other way round: train/, val/ and test/"):
        read_source(tmp_path)


def test_splits_with_other_words_around_are_refused(tmp_path: Path) -> None:
    pets(tmp_path / "train_kaggle", 1)
    write_images(tmp_path / "val_kaggle", 1, {"cat": (9, 9, 9)})
    with pytest.raises(DataError, match="has train_kaggle and val_kaggle, which look like splits; call them train"):
        read_source(tmp_path)


def test_a_test_split_without_classes_is_named(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", "val", count=1)
    write_images(tmp_path, 1, {"test": (9, 9, 9)})
    what = "images straight inside, not in class folders"
    assert read_source(tmp_path).notes == [f"{tmp_path / 'test'} has {what}, and was left out"]
    shutil.rmtree(tmp_path / "val")
    with pytest.raises(DataError, match=rf"neither val/ \(or valid/\) nor test/ \(test/ has {what}\)"):
        read_source(tmp_path)


def test_a_class_called_train_may_have_folders_too(tmp_path: Path) -> None:
    write_images(tmp_path, 1, {"bus": (9, 9, 9), "car": (99, 9, 9), "train": (9, 99, 9)})
    write_images(tmp_path / "train", 1, {"monday": (9, 9, 99)})
    assert counts(read_source(tmp_path)) == {(None, "bus"): 1, (None, "car"): 1, (None, "train"): 2}


def test_links_that_lead_back_through_another_folder_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    with pytest.raises(DataError, match="class folders without files"):
        read_source(tmp_path)


def test_control_characters_in_the_name_of_a_class_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path, 1, {"cat": (9, 9, 9), "do\x07g": (99, 9, 9)})
    with pytest.raises(DataError, match=r"control characters in their names: 'do\\x07g'; rename them"):
        read_source(tmp_path)


@pytest.mark.parametrize(("name", "label"), [("cat ", "cat"), ("my\ncat", "my cat"), ("c\u200bat", "cat")])
def test_blanks_in_the_name_of_a_class_are_named(tmp_path: Path, name: str, label: str) -> None:
    write_images(tmp_path, 1, {name: (9, 9, 9), "dog": (99, 9, 9)})
    source = read_source(tmp_path)
    assert set(counts(source)) == {(None, label), (None, "dog")}
    assert source.notes == [f"the folder {name!r} in {tmp_path} was read as the class {label}"]


def test_notes_can_be_written_whatever_the_names(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", "val", count=1)
    (tmp_path / os.fsdecode(b"\xb2\xa1")).mkdir()
    (note,) = read_source(tmp_path).notes
    assert r"\udcb2\udca1 is neither train, val nor test" in note.encode().decode()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_entered_is_named(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d", 2)
    (folder / "cat").chmod(0o444)
    with pytest.raises(DataError, match=r"cat \(0\)\.JPG: Permission denied; .*cat \(1\)\.JPG: Permission denied"):
        read_source(folder)
    (folder / "cat").chmod(0o700)


def test_folders_of_days_in_one_class_are_taken(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    for day in ("monday", "tuesday"):
        (folder / "cat" / day).mkdir()
        shutil.copy(folder / "cat" / "cat (0).JPG", folder / "cat" / day)
    assert counts(read_source(folder))[None, "cat"] == 7


@pytest.mark.parametrize(("first", "second"), [("val", "valid"), ("train", "Training Data"), ("test", "TESTING")])
def test_two_folders_for_one_split_are_refused(tmp_path: Path, first: str, second: str) -> None:
    names = {"train", "val", first, second}
    with pytest.raises(DataError, match=rf"has two folders for \w+: ({first} and {second}|{second} and {first})"):
        read_source(write_splits(tmp_path, *sorted(names), count=1))


def test_other_folders_beside_the_splits_are_named(tmp_path: Path) -> None:
    source = read_source(write_splits(tmp_path, "train", "val", "holdout", count=1))
    assert {split for split, _ in counts(source)} == {"train", "val"}
    assert source.notes == [f"{tmp_path / 'holdout'} is neither train, val nor test, and was left out"]


@pytest.mark.parametrize("place", ["", "train"])
def test_loose_pictures_are_named(tmp_path: Path, place: str) -> None:
    write_splits(tmp_path, "train", "val", count=1)
    for number in range(5):
        shutil.copy(tmp_path / "train/red/red (0).JPG", tmp_path / place / f"{number}.jpg")
    (note,) = read_source(tmp_path).notes
    assert note == (f"left out, as it is in no class: 5 files straight in {tmp_path / place}: 0.jpg, 1.jpg, 2.jpg, …")


def test_an_archive_beside_the_classes_is_named(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    (folder / "d.zip").write_bytes(b"PK")
    (folder / "README.md").write_text("mine")
    assert read_source(folder).notes == [f"left out, as it is in no class: 1 file straight in {folder}: d.zip"]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    source = read_source(write_images(tmp_path / "d", 2, {"bus": (9, 9, 9), "car": (99, 9, 9), "train": (9, 99, 9)}))
    assert {label for _, label in counts(source)} == {"bus", "car", "train"}


def test_splits_without_classes_inside_are_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "d", 2, {"train": (9, 9, 9), "val": (99, 9, 9)})
    with pytest.raises(
        DataError, match="has train and val with images straight inside; expected a folder for each class"
    ):
        read_source(tmp_path / "d")


@pytest.mark.parametrize(
    ("names", "message"), [(("train",), "has train/ but neither val/"), (("val", "test"), "but no train/")]
)
def test_missing_splits_are_named(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_source(write_splits(tmp_path, *names, count=1))


def test_an_accent_from_a_mac_is_the_same_class(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "café")
    forms: dict[str, Literal["NFC", "NFD"]] = {"train": "NFD", "val": "NFC"}
    for split, form in forms.items():
        write_images(tmp_path / split, 2, {unicodedata.normalize(form, composed): (9, 9, 9), "thé": (99, 9, 9)})
    assert set(counts(read_source(tmp_path))) == {
        (split, label) for split in ("train", "val") for label in (composed, "thé")
    }


def test_two_folders_of_one_name_are_one_class_with_a_word(tmp_path: Path) -> None:
    folder = pets(tmp_path / "d")
    forms: tuple[Literal["NFC", "NFD"], ...] = ("NFD", "NFC")
    for form in forms:
        write_images(folder, 2, {unicodedata.normalize(form, "café"): (9, 9, 9)})
    source = read_source(folder)
    assert counts(source)[None, "café"] == 4
    assert source.notes == [f"2 folders in {folder} are called café, and are one class"]


@pytest.mark.parametrize("other", ["Cat", "ＣＡＴ"])
def test_classes_that_differ_in_spelling_only_are_refused(tmp_path: Path, other: str) -> None:
    folder = pets(tmp_path / "d")
    write_images(folder, 1, {other: (9, 9, 9)})
    with pytest.raises(
        DataError, match=rf"differ in their spelling only: ({other} and cat|cat and {other}); choose one spelling"
    ):
        read_source(folder)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder nor a CSV"):
        read_source(tmp_path / "nowhere")


def test_folder_without_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no class folders"):
        read_source(tmp_path)


def test_empty_class_folders_are_listed(tmp_path: Path) -> None:
    (pets(tmp_path / "d") / "void").mkdir()
    with pytest.raises(DataError, match=r"class folders without files: .*void"):
        read_source(tmp_path / "d")


def test_one_class_only(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"only one class \(red\)"):
        read_source(write_images(tmp_path / "d", 1, {"red": (200, 0, 0)}))


def test_class_missing_from_a_split(tmp_path: Path) -> None:
    write_splits(tmp_path, "train", count=1)
    write_images(tmp_path / "val", 1, {"red": (200, 0, 0)})
    with pytest.raises(DataError, match="val has no blue; val has no grün"):
        read_source(tmp_path)
