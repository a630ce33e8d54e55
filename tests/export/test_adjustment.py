"""A run whose classes are unequal: the answer that is served is that of the adjusted probabilities, in every engine."""

from pathlib import Path

import numpy as np
import pytest
import torch

from contract import Manifest, preprocess
from dataset.split_file import read_split_csv
from export.config import ExportConfig
from export.export import export
from export.graphs.torchscript import load_torchscript
from runtime import load_model
from tests.pictures import write_images
from training.config import TrainConfig
from training.train import train


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four times as many blue images as red ones, corrected for afterwards."""
    folder = tmp_path_factory.mktemp("unequal")
    images = write_images(folder / "images", 16)
    for path in sorted((images / "red").iterdir())[4:]:
        path.unlink()
    config = TrainConfig(
        data=images,
        run="unequal",
        runs=folder,
        arch="resnet18",
        weights="none",
        size=32,
        epochs=2,
        balance="adjust",
        shares="70/30",
    )
    train(config)
    return export(ExportConfig(run=config.run, runs=config.runs))


def test_the_manifest_has_what_the_graph_does(bundle: Path) -> None:
    manifest = Manifest.read(bundle)
    assert manifest.adjustment.tau > 0.3
    assert manifest.adjustment.prior[2] < manifest.adjustment.prior[0]
    labels = [entry.label for entry in manifest.classes]
    held_out = read_split_csv(bundle.parent / "split.csv", labels, "val")
    pixels = np.stack([preprocess(example.path.read_bytes(), manifest.image) for example in held_out])
    outputs = load_model(bundle).run(pixels)
    scaled = (outputs.logits - manifest.adjustment.offsets) / manifest.temperature
    expected = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    assert np.allclose(outputs.probabilities, expected, rtol=1e-3, atol=1e-5)
    with torch.inference_mode():
        _, scripted, _ = load_torchscript(bundle / "model.pt")(torch.from_numpy(pixels))
    assert np.allclose(scripted.numpy(), expected, rtol=1e-3, atol=1e-5)
