import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contract import UsageError
from evaluation.compare.compare import compare
from evaluation.compare.config import CompareRunsConfig
from evaluation.compare.matching import count_seen, match
from evaluation.compare.run_answers import ComparisonError, read_answers
from tests.commands import call_module
from tests.pictures import write_splits
from training.config import TrainConfig
from training.train import train


@pytest.fixture(scope="module")
def trained(run_folder: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs: "tiny"; "same" on its split, with its weights; "other" on a split of its own."""
    runs = tmp_path_factory.mktemp("compare") / "runs"
    shutil.copytree(run_folder, runs / "tiny", ignore=shutil.ignore_patterns("bundle"))
    base = TrainConfig(data=images, run="same", runs=runs, arch="resnet18", weights="none", size=32, epochs=1, batch=8)
    train(replace(base, split=run_folder / "split.csv", weights=str(runs / "tiny" / "checkpoints" / "best.pt")))
    train(replace(base, run="other", seed=1))
    moved_table(run_folder, runs / "tiny")
    return runs


def moved_table(source: Path, copy: Path) -> None:
    """Let the copy of a run find the images, whose paths are relative to the table."""
    text = (source / "split.csv").read_text(encoding="utf-8")
    data = json.loads((source / "config.json").read_text(encoding="utf-8"))["data"]
    lines = text.splitlines()
    relative = lines[1].split(",")[0]
    root = relative[: relative.rindex("images/") + len("images")]
    (copy / "split.csv").write_text(text.replace(root, data), encoding="utf-8")


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(trained, tmp_path / "runs", ignore=shutil.ignore_patterns("checkpoints"))


def change_results(folder: Path, **values: object) -> None:
    path = folder / "results.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**results, **values}), encoding="utf-8")


def test_two_runs_are_compared_on_the_same_images(trained: Path, tmp_path: Path) -> None:
    (comparison,) = compare(CompareRunsConfig(runs=("tiny", "same"), folder=trained, out=tmp_path))
    written = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    figures = written["comparisons"][0]["figures"]
    assert written["part"] == "test"
    assert written["images"] == figures["images"] == 6
    for name, run in (("first", "tiny"), ("second", "same")):
        scores = json.loads((trained / run / "results.json").read_text(encoding="utf-8"))["test"]
        assert [figures[key][name] for key in ("accuracy", "macro_f1", "loss")] == pytest.approx(
            [scores["accuracy"], scores["macro_f1"], scores["loss"]]
        )
    assert sum(figures[key] for key in ("both_right", "only_first", "only_second", "both_wrong")) == 6
    assert comparison.verdict in (tmp_path / "compare.html").read_text(encoding="utf-8")


def test_the_page_shows_the_images_on_which_the_runs_differ(runs: Path, tmp_path: Path) -> None:
    spoil(runs / "same", rows=[0, 2])
    compare(CompareRunsConfig(runs=("tiny", "same"), folder=runs, out=tmp_path))
    figures = json.loads((tmp_path / "compare.json").read_text())["comparisons"][0]["figures"]
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == figures["only_first"] + figures["only_second"] > 0


def test_images_that_have_gone_are_named_without_a_picture(runs: Path, tmp_path: Path) -> None:
    spoil(runs / "same", rows=[0, 2])
    text = (runs / "tiny" / "split.csv").read_text(encoding="utf-8")
    (runs / "tiny" / "split.csv").write_text(text.replace("/images/", "/nowhere/"), encoding="utf-8")
    compare(CompareRunsConfig(runs=("tiny", "same"), folder=runs, out=tmp_path))
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "the file is no longer there" in page
    assert "data:image" not in page


def spoil(folder: Path, rows: list[int]) -> None:
    """Turn the run's answers to these test images round, and those of all others into right ones."""
    with np.load(folder / "test.npz") as recorded:
        kept = dict(recorded)
    kept["logits"] = np.eye(3, dtype=np.float32)[kept["targets"]] * 5
    kept["logits"][rows] = np.roll(kept["logits"][rows], 1, axis=1)
    np.savez(folder / "test.npz", **kept)
    change_results(folder, files={})


def test_what_each_run_has_seen_is_counted_through_its_weights(trained: Path) -> None:
    for split, expected in (("test", (0, 0)), ("val", (0, 6))):
        matched = match([trained / "tiny", trained / "same"], split)
        assert [(seen.trained, seen.chose) for seen in map(count_seen, matched.runs)] == [expected] * 2


def test_a_run_that_had_the_images_in_training_is_said_to_be_favoured(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = runs / "before"
    shutil.copytree(runs / "tiny", other)
    table = (other / "split.csv").read_text(encoding="utf-8").replace(",test,", ",train,")
    (other / "split.csv").write_text(table, encoding="utf-8")
    config = json.loads((runs / "same" / "config.json").read_text(encoding="utf-8"))
    config["weights"] = str(other / "checkpoints" / "best.pt")
    (runs / "same" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    compare(CompareRunsConfig(runs=("tiny", "same"), folder=runs, out=tmp_path / "out"))
    printed = capsys.readouterr().out
    assert "same was trained on 6 of these images" in printed
    assert "note: same was trained on 6 of these 6 images, by itself or through the weights it began from" in printed
    assert "tiny was trained on 0 of these images" in printed


def test_runs_with_other_test_images_are_refused(trained: Path) -> None:
    with pytest.raises(
        ComparisonError, match=r"have different test images: .* in both\. Train other .*: SPLIT=.*tiny/"
    ):
        match([trained / "tiny", trained / "other"], "auto")


@pytest.mark.slow
def test_runs_without_test_images_are_compared_on_validation_and_told_so(tmp_path: Path) -> None:
    data = write_splits(tmp_path / "data", "train", "val")
    base = TrainConfig(data=data, run="a", runs=tmp_path, arch="resnet18", weights="none", size=32, epochs=1, batch=8)
    train(base)
    train(replace(base, run="b", seed=1))
    result = call_module("evaluation.compare", "--runs", "a", "b", "--folder", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "b against a, on the same 9 validation images" in result.stdout
    assert "note: The validation images are compared: a, b kept no answers to test images." in result.stdout
    assert "note: These images chose the best epoch of each run" in result.stdout
    assert (tmp_path / "a-b.compare" / "compare.html").exists()


def test_a_run_from_before_hashes_were_kept_is_compared_on_validation(runs: Path) -> None:
    with np.load(runs / "tiny" / "validation.npz") as recorded:
        np.savez(runs / "tiny" / "validation.npz", logits=recorded["logits"], targets=recorded["targets"])
    (runs / "tiny" / "test.npz").unlink()
    change_results(runs / "tiny", files={})
    assert match([runs / "tiny", runs / "same"], "auto").part == "val"
    with pytest.raises(ComparisonError, match=r"an earlier version trained it; train it again, or .* PART=val"):
        match([runs / "tiny", runs / "same"], "test")


def test_classes_in_another_order_are_matched_by_label(runs: Path) -> None:
    before = match([runs / "tiny", runs / "same"], "test")
    with np.load(runs / "same" / "test.npz") as recorded:
        np.savez(
            runs / "same" / "test.npz",
            logits=recorded["logits"][:, ::-1],
            targets=2 - recorded["targets"],
            sha256=recorded["sha256"],
        )
    classes = json.loads((runs / "same" / "results.json").read_text(encoding="utf-8"))["classes"]
    change_results(runs / "same", classes=classes[::-1], files={})
    after = match([runs / "tiny", runs / "same"], "test")
    assert (after.runs[1].logits == before.runs[1].logits).all()
    assert [each.target for each in after.runs[1].examples] == [each.target for each in before.runs[0].examples]


def test_other_classes_are_refused(runs: Path) -> None:
    for name in ("results.json", "split.csv"):
        text = (runs / "same" / name).read_text(encoding="utf-8")
        (runs / "same" / name).write_text(text.replace('"red"', '"rot"').replace(",red,", ",rot,"), encoding="utf-8")
    with pytest.raises(ComparisonError, match="have different classes: tiny alone has red; same alone has rot"):
        match([runs / "tiny", runs / "same"], "test")


def test_other_labels_of_the_same_images_are_refused(runs: Path) -> None:
    with np.load(runs / "same" / "test.npz") as recorded:
        kept = dict(recorded)
    kept["targets"] = (kept["targets"] + 1) % 3
    np.savez(runs / "same" / "test.npz", **kept)
    change_results(runs / "same", files={})
    path = runs / "same" / "split.csv"
    turned = {"blue": "grün", "grün": "red", "red": "blue"}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if ",test," in line:
            before, label, *rest = line.rsplit(",", 4)
            lines[number] = ",".join([before, turned[label], *rest])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ComparisonError, match="6 of the test images have other labels in tiny than in same"):
        match([runs / "tiny", runs / "same"], "test")


def test_answers_of_another_training_are_refused(runs: Path) -> None:
    shutil.copy(runs / "tiny" / "test.npz", runs / "same" / "test.npz")
    with pytest.raises(ComparisonError, match=r"test\.npz is not of the training that wrote"):
        read_answers(runs / "same", "test")


def test_another_table_than_the_answers_is_refused(runs: Path) -> None:
    shutil.copy(runs / "other" / "split.csv", runs / "same" / "split.csv")
    with pytest.raises(ComparisonError, match="lists other images than"):
        read_answers(runs / "same", "test")


def test_a_table_with_other_classes_than_the_results_is_refused(runs: Path) -> None:
    path = runs / "same" / "split.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",red,", ",rot,"), encoding="utf-8")
    with pytest.raises(ComparisonError, match="is not the table that same was trained with"):
        read_answers(runs / "same", "test")


def test_each_of_several_runs_is_compared_with_the_first(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs / "same", runs / "third")
    found = compare(CompareRunsConfig(runs=("tiny", "same", "third"), folder=runs, out=tmp_path / "out"))
    assert [(each.first, each.second) for each in found] == [("tiny", "same"), ("tiny", "third")]
    assert "These are 2 comparisons: a difference is called shown where p is below 0.025" in capsys.readouterr().out


def test_a_name_that_is_no_run_is_one_line(tmp_path: Path) -> None:
    result = call_module("evaluation.compare", "--runs", "a", "b", "--folder", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (
        f"error: {tmp_path}/a/results.json does not exist; expected the name of a finished run in {tmp_path}\n"
    )


@pytest.mark.parametrize("names", [("a",), ("a", "a")])
def test_two_names_are_needed(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"runs is a.*; expected"):
        CompareRunsConfig(runs=names)


def test_the_folder_of_many_long_names_has_a_name_that_file_systems_take() -> None:
    names = tuple(f"{number}{'x' * 60}" for number in range(5))
    assert CompareRunsConfig(runs=names).results_folder.name == f"{names[0]}-and-4-more.compare"
    assert CompareRunsConfig(runs=("a", "b")).results_folder == Path("runs/a-b.compare")
