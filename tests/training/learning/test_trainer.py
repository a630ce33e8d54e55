from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from dataset.clusters import cluster_numbers
from dataset.data_set import load_data
from dataset.split_file import Example
from tests.pictures import write_images
from training.config import TrainConfig
from training.learning.engine import Sums, train_one_epoch
from training.learning.trainer import build_trainer


def test_images_of_one_object_share_a_number_and_others_have_their_own() -> None:
    examples = [Example(path=Path("a"), target=0, cluster=cluster) for cluster in (7, None, 7, None, 0)]
    numbers = cluster_numbers(examples).tolist()
    assert numbers[0] == numbers[2]
    assert len(set(numbers)) == 4


def test_the_bits_of_16_bit_images_go_into_the_image_contract(tmp_path: Path) -> None:
    data = write_images(tmp_path / "d", 4)
    for path in data.rglob("*.JPG"):
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16) << 4
        Image.fromarray(grey).save(path.with_suffix(".png"))
        path.unlink()
    config = TrainConfig(data=data, run="r", runs=tmp_path, arch="resnet18", weights="none", size=32)
    trainer = build_trainer(config, load_data(config), fresh=True)
    assert trainer.spec.depth == 12
    pixels, _ = next(iter(trainer.batches))
    assert pixels.float().mean() > 60  # at 16 bits the images would be nearly black


def test_the_loss_of_training_is_that_of_validation_without_smoothing(images: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        data=images, run="r", runs=tmp_path, arch="resnet18", weights="none", size=32, lr=1e-12, label_smoothing=0.9
    )
    trainer = build_trainer(config, load_data(config), fresh=True)
    batch = next(iter(trainer.batches))
    with torch.no_grad():
        trainer.model.train()
        logits = trainer.model(batch[0])
    plain, smoothed = functional.cross_entropy(logits, batch[1]), trainer.step.criterion(logits, batch[1])
    step = replace(trainer.step, precision=torch.float32)
    sums = Sums()
    train_one_epoch(trainer.model, [batch], step, sums, lambda *_: None)
    loss = sums.mean_loss
    assert abs(loss - float(plain)) < 1e-4 < abs(float(smoothed) - float(plain))
