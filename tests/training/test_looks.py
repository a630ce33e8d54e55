from pathlib import Path

from dataset.config import DataOptions
from dataset.data_set import DataSet, load_data
from training.looks import record_look, seen_by_weights


def data(images: Path, *, seed: int = 0, split: Path | None = None) -> DataSet:
    return load_data(DataOptions(data=images, seed=seed, split=split))


def test_each_look_at_the_same_test_images_counts(images: Path, tmp_path: Path) -> None:
    examples, others = (data(images, seed=seed).splits["test"] for seed in (0, 1))
    assert [record_look(tmp_path, run, examples) for run in ("a", "b", "a")] == [1, 2, 3]
    assert record_look(tmp_path, "c", others) == 1
    assert record_look(tmp_path, "d", list(reversed(examples))) == 4


def test_a_run_counts_its_own_look(run_folder: Path) -> None:
    assert '"test_looks": 1' in (run_folder / "results.json").read_text(encoding="utf-8")


def test_weights_that_saw_the_test_images_are_named(run_folder: Path, images: Path) -> None:
    best = str(run_folder / "checkpoints" / "best.pt")
    (warning,) = seen_by_weights(best, data(images, seed=3))
    assert warning.startswith(f"WEIGHTS={best} comes from a run that has seen ")
    assert "of the 6 test images" in warning


def test_weights_of_a_run_with_the_same_split_are_no_leak(run_folder: Path, images: Path) -> None:
    best = str(run_folder / "checkpoints" / "best.pt")
    assert seen_by_weights(best, data(images, seed=3, split=run_folder / "split.csv")) == []


def test_folds_hold_out_what_such_weights_have_learned(run_folder: Path, images: Path) -> None:
    best = str(run_folder / "checkpoints" / "best.pt")
    same = data(images, seed=3, split=run_folder / "split.csv")
    (warning,) = seen_by_weights(best, same, folds=5)
    learned = len(same.splits["train"])
    assert f"has seen {learned} of the {learned} train images" in warning
    assert "which the folds hold out: figures on these are too high. Train without FOLDS" in warning


def test_weights_of_nowhere_are_no_leak(images: Path, tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("my,own,table\n")
    (tmp_path / "config.json").write_text("{}")
    for weights in ("imagenet", "none", str(tmp_path / "weights" / "a.pth")):
        assert seen_by_weights(weights, data(images)) == []
