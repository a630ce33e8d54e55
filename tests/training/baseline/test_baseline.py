import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.data_set import load_data
from dataset.errors import DataError
from dataset.sample import write_sample
from tests.pictures import write_images
from training.baseline import features as features_module
from training.baseline.baseline import PAGE, RESULTS_FILE, measure_baseline
from training.baseline.config import BaselineConfig
from training.baseline.features import compute_features
from training.baseline.network import choose_network
from training.learning.loader import EvaluationBatches
from training.weights.errors import WeightsError


def config(data: Path, out: Path, weights: str = "none") -> BaselineConfig:
    return BaselineConfig(data=data, out=out, weights=weights, size=32)


def test_colours_are_told_by_a_network_that_was_never_trained(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_baseline(config(images, tmp_path / "out"))
    told = capsys.readouterr().out
    assert "Features: an untrained resnet18, 32 px." in told
    assert "The labels can be learned: " in told
    results = json.loads((tmp_path / "out" / RESULTS_FILE).read_text(encoding="utf-8"))
    assert results["scores"]["accuracy"] > 0.9
    assert results["permutations"]["p_value"] < 0.01
    assert (tmp_path / "out" / PAGE).is_file()
    assert (
        load_data(config(tmp_path / "out" / "labels.csv", tmp_path)).fingerprint
        == load_data(config(images, tmp_path)).fingerprint
    )


def test_flipped_labels_come_first(tmp_path: Path) -> None:
    photos = sorted(write_images(tmp_path / "images", 20).rglob("*.JPG"))
    flipped = {photos[3], photos[25], photos[47]}
    wrong = {"blue": "red", "grün": "blue", "red": "grün"}
    rows = [f"{path},{wrong[path.parent.name] if path in flipped else path.parent.name}\n" for path in photos]
    (tmp_path / "labels.csv").write_text("path,label\n" + "".join(rows), encoding="utf-8")
    measure_baseline(config(tmp_path / "labels.csv", tmp_path / "out"))
    first = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8").splitlines()[1:4]
    assert {path.name for path in flipped} == {Path(row.split(",")[0]).name for row in first}


def test_the_network_of_a_run_is_used_and_what_it_has_seen_is_said(
    images: Path, run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = replace(config(images, tmp_path, run_folder.name), runs=run_folder.parent)
    measure_baseline(chosen)
    told = capsys.readouterr().out
    assert "Features: resnet18 of the run tiny, 32 px." in told
    assert "This network was trained on 24 of the images or chosen by them" in told
    measure_baseline(replace(config(images, tmp_path, str(run_folder / "checkpoints" / "best.pt")), arch="resnet18"))
    assert "This network was trained on 24 of the images or chosen by them" in capsys.readouterr().out
    with pytest.raises(WeightsError, match=r"the run .*tiny is a resnet18, not a resnet50; set ARCH=resnet18"):
        measure_baseline(replace(chosen, arch="resnet50"))


def test_an_interrupted_baseline_keeps_its_features(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(features_module, "BATCH", 4)
    chosen = config(images, tmp_path / "out")
    data = load_data(chosen)
    examples, network = data.splits["train"], choose_network(chosen, data)
    whole = EvaluationBatches.of
    asked: list[int] = []

    def interrupted(self: EvaluationBatches, part: list[object]) -> object:
        asked.append(len(part))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(self, part)  # type: ignore[arg-type]

    monkeypatch.setattr(EvaluationBatches, "of", interrupted)
    with pytest.raises(KeyboardInterrupt, match="the features of 8 images are kept"):
        compute_features(network, examples)
    found = compute_features(network, examples)
    assert sum(asked) == len(examples) + 4
    asked.clear()
    np.testing.assert_array_equal(compute_features(network, examples), found)
    assert not asked


@pytest.mark.parametrize("fault", ["a file in the way", "a damaged file"])
def test_a_cache_that_cannot_be_used_is_a_warning(
    fault: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = config(images, tmp_path / "out")
    data = load_data(chosen)
    network, examples = choose_network(chosen, data), data.splits["val"]
    expected = compute_features(network, examples)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "resnet-service" / "features"
    if fault == "a file in the way":
        folder.parent.mkdir(parents=True)
        folder.write_text("no folder")
    else:
        compute_features(network, examples)
        next(folder.iterdir()).write_bytes(b"no database, and long enough to be taken for one" * 100)
    np.testing.assert_array_equal(compute_features(network, examples), expected)
    assert "can't be used as a cache" in capsys.readouterr().out


def test_fewer_objects_than_folds_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are 4 objects in the largest class; expected at least 5"):
        measure_baseline(config(write_images(tmp_path / "images", 4), tmp_path / "out"))


def macro_f1_of(out: Path) -> tuple[float, float]:
    found = json.loads((out / RESULTS_FILE).read_text(encoding="utf-8"))["permutations"]
    return found["macro_f1"], found["chance_high"]


@pytest.mark.slow
def test_an_untrained_network_tells_something_about_grey_surfaces(shared_data: Path, tmp_path: Path) -> None:
    measure_baseline(BaselineConfig(data=shared_data / "magnetic_tile", out=tmp_path / "out", weights="none"))
    figure, chance_high = macro_f1_of(tmp_path / "out")
    assert chance_high < figure < 0.5
    table = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8")
    assert len(re.findall(r"\n", table)) == 379


@pytest.mark.slow
def test_of_flipped_leaves_four_in_five_are_in_the_first_tenth(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample")
    photos = sorted((tmp_path / "sample").rglob("*.jpg"))
    labels = [path.parent.name for path in photos]
    names = sorted(set(labels))
    rng = np.random.default_rng(0)
    flipped = set(rng.choice(len(photos), len(photos) // 20, replace=False).tolist())
    given = [
        names[(names.index(label) + 1 + int(rng.integers(len(names) - 1))) % len(names)] if row in flipped else label
        for row, label in enumerate(labels)
    ]
    rows = "".join(f"{photo},{label}\n" for photo, label in zip(photos, given, strict=True))
    (tmp_path / "flipped.csv").write_text("path,label\n" + rows, encoding="utf-8")
    measure_baseline(BaselineConfig(data=tmp_path / "flipped.csv", out=tmp_path / "out", weights="none"))
    listed = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8").splitlines()[1 : 1 + len(photos) // 10]
    first = {Path(row.split(",")[0]).resolve() for row in (str(tmp_path / "out" / line) for line in listed)}
    assert len(first & {photos[row].resolve() for row in flipped}) >= 0.8 * len(flipped)
