import json
from pathlib import Path

from dataset.seen import images_seen, images_seen_before


def a_run(folder: Path, rows: dict[str, str], weights: str = "none") -> Path:
    folder.mkdir()
    lines = [f"{name}.jpg,red,{split},{name},0" for name, split in rows.items()]
    (folder / "split.csv").write_text("\n".join(["path,label,split,sha256,cluster", *lines]) + "\n")
    (folder / "config.json").write_text(json.dumps({"weights": weights}))
    return folder


def test_an_image_counts_where_most_was_learned_from_it(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", {"1": "train", "2": "val", "3": "test"})
    second = a_run(tmp_path / "b", {"1": "test", "2": "train", "3": "val"}, str(first / "checkpoints" / "best.pt"))
    assert images_seen(second) == {"1": "train", "2": "train", "3": "val"}
    assert images_seen_before(second) == {"1": "train", "2": "val", "3": "test"}
    assert images_seen_before(first) == {}


def test_runs_that_name_each_other_end(tmp_path: Path) -> None:
    a_run(tmp_path / "a", {"1": "train"}, str(tmp_path / "b" / "checkpoints" / "best.pt"))
    a_run(tmp_path / "b", {"2": "train"}, str(tmp_path / "a" / "checkpoints" / "best.pt"))
    assert images_seen(tmp_path / "a") == {"1": "train", "2": "train"}


def test_a_folder_that_is_no_run_has_seen_nothing(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("my,own,table\n")
    (tmp_path / "config.json").write_text("{}")
    assert images_seen(tmp_path) == {}
    assert images_seen(tmp_path / "nowhere") == {}
