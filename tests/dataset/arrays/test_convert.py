"""Arrays become image files; the second of the first systems had its welds as .npy files in a folder a class."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dataset.arrays.convert import ConvertConfig, convert
from dataset.config import DataOptions
from dataset.data_set import load_data
from dataset.errors import DataError
from tests.commands import call_module

GREY = np.random.default_rng(0).integers(0, 256, (6, 20, 24), dtype=np.uint8)


def pixels(path: Path) -> NDArray[np.generic]:
    with Image.open(path) as image:
        return np.asarray(image)


def converted(arrays: Path, tmp_path: Path, labels: Path | None = None) -> list[Path]:
    convert(ConvertConfig(arrays=arrays, out=tmp_path / "out", labels=labels))
    return sorted((tmp_path / "out").rglob("*.png"))


def test_a_folder_of_each_class_becomes_images_that_train_takes(tmp_path: Path) -> None:
    for label, count in {"crack": 6, "pore": 5, "undercut": 1}.items():
        (tmp_path / "welds" / label).mkdir(parents=True)
        for number in range(count):
            image = np.roll(GREY[number], 3 * len(label), axis=1)
            np.save(tmp_path / "welds" / label / f"w{number}.npy", image)
    finished = call_module("dataset.arrays", "--arrays", str(tmp_path / "welds"), "--out", str(tmp_path / "out"))
    assert finished.returncode == 0, finished.stderr
    assert "Wrote 12 images" in finished.stdout
    assert "values are kept" in finished.stdout
    assert np.array_equal(pixels(tmp_path / "out" / "crack" / "crack_w2_00000.png"), np.roll(GREY[2], 15, axis=1))
    data = load_data(DataOptions(data=tmp_path / "out", classes="crack,pore", near_duplicates=1))
    assert data.labels == ["crack", "pore"]


@pytest.mark.parametrize(
    ("shape", "mode"),
    [((20, 24), "L"), ((3, 20, 24), "L"), ((3, 20, 24, 1), "L"), ((3, 20, 24, 3), "RGB"), ((3, 3, 20, 24), "RGB")],
)
def test_every_usual_shape_is_understood(shape: tuple[int, ...], mode: str, tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    np.save(tmp_path / "in" / "a" / "x.npy", np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8))
    paths = converted(tmp_path / "in", tmp_path)
    assert len(paths) == (1 if len(shape) == 2 else 3)
    with Image.open(paths[0]) as image:
        assert (image.mode, image.size) == (mode, (24, 20))


def test_one_scale_for_all_keeps_exposures_apart(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    dark, bright = (np.full((8, 8), value, np.float32) for value in (-2.0, 6.0))
    dark[0, 0] = 0.0
    np.save(tmp_path / "in" / "a" / "dark.npy", dark)
    np.save(tmp_path / "in" / "a" / "bright.npy", bright)
    bright_file, dark_file = converted(tmp_path / "in", tmp_path)
    assert pixels(dark_file)[0, :2].tolist() == [64, 0]
    assert pixels(bright_file).min() == 255


def test_sixteen_bits_and_truth_values_are_kept(tmp_path: Path) -> None:
    for name, values in {"deep": GREY.astype(np.uint16) * 100, "mask": GREY > 100}.items():
        (tmp_path / name / "a").mkdir(parents=True)
        np.save(tmp_path / name / "a" / "x.npy", values)
    deep = converted(tmp_path / "deep", tmp_path / "1")
    assert np.array_equal(pixels(deep[4]), GREY[4].astype(np.uint16) * 100)
    mask = converted(tmp_path / "mask", tmp_path / "2")
    assert np.array_equal(pixels(mask[4]), np.where(GREY[4] > 100, 255, 0))


def test_labels_come_from_the_file_or_from_one_beside_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=GREY, y=np.array([0, 1, 0, 2, 1, 0]))
    assert {path.parent.name for path in converted(tmp_path / "set.npz", tmp_path / "1")} == {"0", "1", "2"}
    np.save(tmp_path / "x.npy", GREY)
    np.save(tmp_path / "y.npy", np.array(["crack", "pore"] * 3))
    paths = converted(tmp_path / "x.npy", tmp_path / "2", tmp_path / "y.npy")
    assert sorted(path.parent.name for path in paths) == ["crack"] * 3 + ["pore"] * 3


BROKEN = {
    "nan": (np.array([[[0.5, np.nan] * 4] * 8]), "are no numbers"),
    "flat": (np.zeros((2, 8, 8), np.float64) + 3, "all values are 3; expected images"),
    "vector": (np.arange(100), "has the shape \\[100\\]; expected \\[H, W\\]"),
    "text": (np.array(["a", "b"]), "expected numbers"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_arrays_that_are_no_images_are_refused_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    values, message = BROKEN[kind]
    (tmp_path / "in" / "a").mkdir(parents=True)
    np.save(tmp_path / "in" / "a" / "x.npy", values)
    with pytest.raises(DataError, match=message):
        converted(tmp_path / "in", tmp_path)
    assert not (tmp_path / "out").exists()


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    np.save(tmp_path / "in" / "a" / "x.npy", np.array([GREY[0], "text"], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects, and reading those would run code"):
        converted(tmp_path / "in", tmp_path)


def test_files_without_classes_and_wrong_numbers_of_labels_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GREY)
    with pytest.raises(DataError, match="does not say the classes of its images"):
        converted(tmp_path / "x.npy", tmp_path)
    np.save(tmp_path / "y.npy", np.array([1, 2]))
    with pytest.raises(DataError, match="has 6 images and there are 2 labels"):
        converted(tmp_path / "x.npy", tmp_path, tmp_path / "y.npy")
    np.save(tmp_path / "z.npy", np.array(["../a"] * 6))
    with pytest.raises(DataError, match="can't be the name of a folder"):
        converted(tmp_path / "x.npy", tmp_path, tmp_path / "z.npy")


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    np.save(tmp_path / "in" / "a" / "x.npy", GREY)
    converted(tmp_path / "in", tmp_path)
    with pytest.raises(DataError, match="has files already; choose another OUT"):
        converted(tmp_path / "in", tmp_path)
