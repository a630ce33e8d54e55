import random
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dataset.config import SAME_OBJECT, DataOptions
from dataset.data_set import DataSet, load_data
from dataset.pictures.duplicates import near_duplicates, signatures, unite
from dataset.pictures.inspection import inspect_images


def clusters_of(folder: Path) -> list[set[str]]:
    """The near-duplicates among the files of a folder, by their names; those that stand alone are left out."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    pictures = inspect_images(paths).pictures
    numbers = near_duplicates(signatures(np.stack([found.thumbnail for found in pictures.values()])), SAME_OBJECT)
    found = [{path.name for path, number in zip(pictures, numbers, strict=True) if number == n} for n in set(numbers)]
    return sorted((names for names in found if len(names) > 1), key=len)


def scene(seed: int) -> Image.Image:
    """A picture of blobs, as unlike the next as two photographs are."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (12, 16, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(30):
        scene(seed).save(tmp_path / f"{seed}.png")
    return tmp_path


def test_different_pictures_stand_alone(folder: Path) -> None:
    assert clusters_of(folder) == []


def test_the_same_object_in_other_light_crop_and_resolution_is_found(folder: Path) -> None:
    picture = scene(0)
    picture.point(lambda value: value * 0.4).save(folder / "dark.png")
    picture.point(lambda value: 255 * (value / 255) ** 2).save(folder / "gamma.png")
    picture.resize((80, 60)).save(folder / "small.png")
    picture.crop((5, 4, 316, 237)).save(folder / "crop.jpg", quality=40)
    ImageOps.grayscale(picture).save(folder / "grey.png")
    lamp = np.linspace(0.5, 1.3, 320)[None, :, None]
    Image.fromarray(np.clip(np.asarray(picture) * lamp, 0, 255).astype(np.uint8)).save(folder / "lamp.png")
    assert clusters_of(folder) == [{"0.png", "dark.png", "gamma.png", "small.png", "crop.jpg", "grey.png", "lamp.png"}]


def test_uniform_pictures_are_not_taken_for_one_object(tmp_path: Path) -> None:
    for level in range(0, 250, 50):
        Image.new("L", (50, 50), level).save(tmp_path / f"{level}.png")
    assert clusters_of(tmp_path) == []


def test_a_chain_of_pictures_is_not_one_cluster() -> None:
    angles = np.linspace(0, np.pi, 30)  # neighbours correlate at 0.994, the ends at -1
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    numbers = near_duplicates(chain, SAME_OBJECT)
    correlation = chain @ chain.T
    assert all(correlation[a, b] > SAME_OBJECT for a, b in combinations(range(30), 2) if numbers[a] == numbers[b])
    assert len(set(numbers)) < 15


def test_very_many_pictures_that_are_alike_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataset.pictures.duplicates.LARGEST_COMPONENT", 50)
    noise = np.random.default_rng(0).normal(0, 0.02, (200, 256))
    alike: NDArray[np.float32] = (1 / 16 + noise).astype(np.float32)
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    numbers = near_duplicates(alike, SAME_OBJECT)
    assert len(numbers) == 200
    assert numbers.max() < 200


def test_unite_keeps_together_what_any_partition_does() -> None:
    assert unite("aabcd", [None, 1, 1, None, None]) == [0, 0, 0, 3, 4]
    assert unite("abc", [None] * 3) == [0, 1, 2]


def test_pairs_of_one_leaf_are_found(shared_data: Path) -> None:
    assert [len(names) for names in clusters_of(shared_data / "oddities" / "corn_dup_pairs")] == [2, 2]


def test_photographs_of_different_insects_stand_alone(shared_data: Path) -> None:
    assert len(clusters_of(shared_data / "hymenoptera")) <= 2


@pytest.fixture(scope="module")
def tiles(shared_data: Path) -> DataSet:
    return load_data(DataOptions(data=shared_data / "magnetic_tile"))


def exposures(data: DataSet) -> list[tuple[str, str]]:
    """Pairs of files of one class whose numbers lie close: exposures of one tile, as the set's authors took them."""
    files = sorted((example.target, example.path.name) for examples in data.splits.values() for example in examples)
    number = {name: int(name.split("_")[-1].removesuffix(".jpg")) for _, name in files}
    return [
        (a, b)
        for (label_a, a), (label_b, b) in combinations(files, 2)
        if label_a == label_b and abs(number[a] - number[b]) <= 120
    ]


def test_exposures_of_a_tile_are_in_one_cluster(tiles: DataSet) -> None:
    cluster = {example.path.name: example.cluster for found in tiles.splits.values() for example in found}
    pairs = exposures(tiles)
    assert len(pairs) == 395
    assert sum(cluster[a] == cluster[b] for a, b in pairs) >= 0.7 * 395
    assert max(map(len, tiles.clusters)) <= 12


def test_few_exposures_of_a_tile_cross_a_split(tiles: DataSet, shared_data: Path) -> None:
    pairs = exposures(tiles)
    crossing = []
    for seed in range(20):
        data = load_data(DataOptions(data=shared_data / "magnetic_tile", seed=seed))
        split = {example.path.name: name for name, found in data.splits.items() for example in found}
        crossing.append(sum(split[a] != split[b] for a, b in pairs))
    assert np.mean(crossing) <= 75


def test_no_exposure_crosses_a_split_where_a_column_names_the_objects(tiles: DataSet, tmp_path: Path) -> None:
    pairs = exposures(tiles)
    names = {example.path.name for found in tiles.splits.values() for example in found}
    objects = unite(sorted(names), *([pair if name in pair else None for name in sorted(names)] for pair in pairs))
    rows = dict(zip(sorted(names), objects, strict=True))
    table = tmp_path / "tiles.csv"
    examples = [example for found in tiles.splits.values() for example in found]
    lines = [f"{each.path},{tiles.labels[each.target]},tile{rows[each.path.name]}" for each in examples]
    table.write_text("path,label,group\n" + "\n".join(lines) + "\n")
    data = load_data(DataOptions(data=table))
    split = {example.path.name: name for name, found in data.splits.items() for example in found}
    assert sum(split[a] != split[b] for a, b in pairs) == 0


def test_names_and_order_of_files_make_no_difference(tiles: DataSet, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "magnetic_tile"
    shuffled = random.Random(0)
    for label in source.iterdir():
        (tmp_path / label.name).mkdir()
        for path in label.iterdir():
            shutil.copy(path, tmp_path / label.name / f"{shuffled.random()}.jpg")
    renamed = load_data(DataOptions(data=tmp_path))
    assert content(renamed) == content(tiles)
    assert renamed.fingerprint == tiles.fingerprint


def content(data: DataSet) -> set[frozenset[str]]:
    return {frozenset(example.sha256 for example in found) for found in data.clusters}
