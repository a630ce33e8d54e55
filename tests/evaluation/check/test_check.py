import shutil
from pathlib import Path

import pytest
from PIL import Image

from contract import UsageError
from dataset.config import DataOptions
from dataset.data_set import load_data
from evaluation.check.check import check, examine
from evaluation.check.config import CheckConfig
from evaluation.check.shortcuts import Shortcut, beside_the_model, find_shortcuts
from tests.commands import call_module
from tests.effort import times
from tests.pictures import draw, write_images, write_splits


def page_of(data: Path, tmp_path: Path) -> str:
    check(CheckConfig(data=data, out=tmp_path / "checks" / "page.html"))
    return (tmp_path / "checks" / "page.html").read_text(encoding="utf-8")


def by_name(shortcuts: list[Shortcut]) -> dict[str, Shortcut]:
    return {shortcut.name: shortcut for shortcut in shortcuts}


def test_a_page_tells_counts_sizes_and_kinds(tmp_path: Path) -> None:
    page = page_of(write_images(tmp_path / "d", 5), tmp_path)
    assert "15 images in 3 classes. train: 9. val: 3. test: 3." in page
    assert "smallest 40 x 48, median 42 x 48, largest 44 x 48" in page
    assert "RGB (15)" in page
    assert "too few held-out images" in page
    assert "data:image" not in page


def test_the_command_prints_what_it_found(tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 5)
    for level in (0.5, 0.8):
        Image.open(data / "red/red (0).JPG").point(lambda value, by=level: value * by).save(data / f"red/{level}.png")
    result = call_module("evaluation.check", "--data", str(data), "--out", str(tmp_path / "a.html"))
    assert result.returncode == 0, result.stderr
    assert "3 images show 1 object and stay together." in result.stdout
    assert result.stdout.endswith(f"Page: {tmp_path / 'a.html'}\n")


def test_images_of_one_object_are_shown(tmp_path: Path) -> None:
    data = write_splits(tmp_path / "d", "train", "val", "test")
    shutil.copy(data / "train/red/red (0).JPG", data / "test/blue/again.jpg")
    page = page_of(data, tmp_path)
    assert "One file in several classes: 1" in page
    assert "Objects in several splits: 1" in page
    assert page.count("data:image/jpeg;base64,") == 6  # the two files in each of the three parts


def test_unreadable_files_are_named_and_do_not_stop_the_check(tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 5)
    (data / "red" / "notes.txt").write_text("remember")
    page = page_of(data, tmp_path)
    assert "Unreadable files were skipped (1)" in page
    assert "notes.txt: this is not a known image format" in page


def test_imbalance_is_said(tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 13)
    for path in sorted((data / "blue").iterdir())[4:]:
        path.unlink()
    assert "grün has 3 times as many images as blue (13 and 4)" in page_of(data, tmp_path)


def test_labels_are_escaped(tmp_path: Path) -> None:
    page = page_of(write_images(tmp_path / "d", 4, {"<b>x": (200, 0, 0), "y": (0, 200, 0)}), tmp_path)
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page


def test_many_objects_make_no_endless_page(tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 40)
    for path in data.rglob("*.JPG"):
        Image.open(path).point(lambda value: value * 0.8).save(path.with_suffix(".png"))
    page = page_of(data, tmp_path)
    assert page.count("data:image/jpeg;base64,") == 60
    assert "… and 90 more objects" in page


def test_a_border_that_tells_the_class_is_found(tmp_path: Path) -> None:
    """The middle of every picture is noise; the border has the colour of the class."""
    data = write_images(tmp_path / "d", 40)
    for number, path in enumerate(sorted(data.rglob("*.JPG"))):
        picture = Image.open(path)
        middle = draw((24, 32), (120, 120, 120), 5000 + number)
        picture.paste(middle, ((picture.width - 24) // 2, 8))
        picture.save(path, quality=95)
    found = by_name(find_shortcuts(load_data(DataOptions(data=data))))
    assert found["the border of the image"].better
    assert "a model can be right without looking at the object" in found["the border of the image"].sentence


def test_intervals_hold_what_was_scored(tmp_path: Path) -> None:
    found = by_name(find_shortcuts(load_data(DataOptions(data=write_images(tmp_path / "d", 40)))))
    assert len(found) == 3
    assert all(
        0 <= shortcut.interval[0] <= shortcut.accuracy <= shortcut.interval[1] <= 1 for shortcut in found.values()
    )


def test_the_border_of_corn_leaves_gives_the_disease_away(shared_data: Path) -> None:
    report = examine(load_data(DataOptions(data=shared_data / "corn_leaf")))
    border = by_name(report.shortcuts)["the border of the image"]
    assert border.better
    assert border.interval[0] < 0.8 < border.interval[1]


def test_the_border_of_insects_is_near_what_was_measured_before(shared_data: Path) -> None:
    report = examine(load_data(DataOptions(data=shared_data / "hymenoptera")))
    low, high = by_name(report.shortcuts)["the border of the image"].interval
    assert low < 0.63 < high


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(times(1, 20)))
def test_size_and_bytes_of_tiles_are_not_better_than_the_majority(shared_data: Path, seed: int) -> None:
    report = examine(load_data(DataOptions(data=shared_data / "magnetic_tile", seed=seed)))
    found = by_name(report.shortcuts)["the size of image and file"]
    assert not found.better
    assert "not shown to be better than always answering the commonest class" in found.sentence


def test_a_page_needs_a_name_of_a_page() -> None:
    with pytest.raises(UsageError, match=r"out is a\.pdf; expected a name ending in \.html"):
        CheckConfig(data=Path("d"), out=Path("a.pdf"))


@pytest.mark.parametrize(
    ("interval", "words"),
    [((0.81, 0.95), "is above that."), ((0.75, 0.92), "is not shown to be better than that.")],
)
def test_a_model_is_told_beside_what_the_background_scores(interval: tuple[float, float], words: str) -> None:
    border = Shortcut(name="the border", accuracy=0.8, interval=(0.7, 0.9), majority=0.25, better=True)
    colour = Shortcut(name="the mean colour", accuracy=0.3, interval=(0.2, 0.4), majority=0.25, better=False)
    (sentence,) = beside_the_model([border, colour], {"accuracy": 0.9, "accuracy_interval": interval})
    assert sentence.endswith(f"The model's 0.90 ({interval[0]:.2f} to {interval[1]:.2f}) {words}")
