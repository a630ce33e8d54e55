"""The three systems that this program replaces, each on forty pictures laid out as theirs were (docs/systems.md)."""

import csv
import json
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from contract import Manifest
from dataset.sample import LESIONS, draw_leaf
from tests.commands import RunningServer, call_module
from tests.pictures import TINTS, draw, encode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
QUICK = ("--arch", "resnet18", "--weights", "none", "--steps", "24")
WELDS = {"crack": 12, "good": 10, "pore": 6, "slag": 5, "burn": 4, "spatter": 2, "undercut": 1}


def done(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    finished = call_module(*arguments)
    assert finished.returncode == 0, finished.stderr
    return finished


def test_maize_leaves_with_chinese_names_on_port_5000(tmp_path: Path) -> None:
    for label in sorted(LESIONS):
        (tmp_path / "maize" / label).mkdir(parents=True)
        for number in range(10):
            leaf = draw_leaf(label, np.random.default_rng([number, len(label)]))
            leaf.save(tmp_path / "maize" / label / f"{number}.jpg")
    names = {"common_rust": "普通锈病", "gray_leaf_spot": "灰斑病", "healthy": "健康", "northern_leaf_blight": "大斑病"}
    (tmp_path / "maize" / "names.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    runs = str(tmp_path / "runs")
    done("training", "--data", str(tmp_path / "maize"), "--run", "maize", "--runs", runs, *QUICK, "--size", "64")
    done("export", "--run", "maize", "--runs", runs)
    bundle = tmp_path / "runs" / "maize" / "bundle"
    picture, out = next((tmp_path / "maize" / "healthy").iterdir()), tmp_path / "prediction_result.jpg"
    server = RunningServer(bundle)
    try:
        answer = httpx.post(f"{server.url}/predict", files={"file": picture.read_bytes()}, timeout=60).json()
        assert answer["predictions"][0]["display_name"] in names.values()
    finally:
        server.stop()
    done("evaluation.predict", "--bundle", str(bundle), "--image", str(picture), "--out", str(out))
    with Image.open(out) as annotated:
        assert annotated.format == "JPEG"


def test_grey_welds_in_very_unequal_classes(tmp_path: Path) -> None:
    for target, (label, count) in enumerate(WELDS.items()):
        (tmp_path / "welds" / label).mkdir(parents=True)
        for number in range(count):
            grey = draw((48, 48), (40 + 20 * target,) * 3, seed=100 * target + number).convert("L")
            grey.save(tmp_path / "welds" / label / f"{number}.png")
    common = ",".join(label for label, count in WELDS.items() if count > 2)
    runs = ("--run", "welds", "--runs", str(tmp_path / "runs"))
    options = (*QUICK, "--size", "32", "--contrast", "standard", "--classes", common, "--shares", "80/20")
    printed = done("training", "--data", str(tmp_path / "welds"), *runs, *options).stdout
    assert "as asked: spatter (2 images), undercut (1 images)" in printed
    assert "Trained resnet18" in printed
    done("export", *runs)
    manifest = Manifest.read(tmp_path / "runs" / "welds" / "bundle")
    assert manifest.image.contrast == "standard"
    assert [entry.label for entry in manifest.classes] == sorted(common.split(","))


def test_ants_and_bees_by_a_table_with_folds_and_one_picture_answered(tmp_path: Path) -> None:
    rows = []
    for target, label in enumerate(("ants", "bees")):
        (tmp_path / "insects" / label).mkdir(parents=True)
        for number in range(20):
            path = tmp_path / "insects" / label / f"{number}.jpg"
            path.write_bytes(encode(draw((60, 50), list(TINTS.values())[target], seed=100 * target + number)))
            split = "train" if number < 12 else "val" if number < 16 else "test"
            rows.append({"path": f"{label}/{number}.jpg", "label": label, "split": split})
    table = tmp_path / "insects" / "index.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "label", "split"])
        writer.writeheader()
        writer.writerows(rows)
    runs = ("--run", "insects", "--runs", str(tmp_path / "runs"))
    printed = done("training", "--data", str(table), *runs, *QUICK, "--size", "64", "--folds", "4").stdout
    assert "4 folds" in printed
    assert {path.name for path in (tmp_path / "runs" / "insects").iterdir()} >= {"accuracy.png", "loss.png"}
    done("export", *runs)
    picture = str(tmp_path / "insects" / "bees" / "19.jpg")
    said = done("evaluation.predict", "--bundle", str(tmp_path / "runs" / "insects" / "bundle"), "--image", picture)
    assert "bees" in said.stdout
