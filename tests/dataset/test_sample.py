from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from dataset.sample import LESIONS, draw_leaf, write_sample


@pytest.fixture(scope="module")
def leaves() -> tuple[np.ndarray, list[str]]:
    """Forty leaves of each class: uint8 [N, 128, 128, 3], and their labels."""
    rng = np.random.default_rng(5)
    labels = [label for label in LESIONS for _ in range(40)]
    return np.stack([np.asarray(draw_leaf(label, rng)) for label in labels]), labels


def test_the_mean_colour_tells_next_to_nothing(leaves: tuple[np.ndarray, list[str]]) -> None:
    pictures, labels = leaves
    means = pictures.reshape(len(labels), -1, 3).mean(axis=1) / 255
    train, test = np.arange(len(labels)) % 2 == 0, np.arange(len(labels)) % 2 == 1
    model = LogisticRegression(C=100, max_iter=2000).fit(means[train], np.array(labels)[train])
    assert model.score(means[test], np.array(labels)[test]) < 0.5


def test_no_two_leaves_are_alike(leaves: tuple[np.ndarray, list[str]]) -> None:
    pictures, _ = leaves
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_seed_draws_the_same_leaf() -> None:
    first, second = (draw_leaf("healthy", np.random.default_rng(3)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_the_set_is_written_once_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dataset.sample.IMAGES_PER_CLASS", {"train": 2, "val": 1, "test": 1})
    write_sample(tmp_path)
    assert "Made 16 sample images of maize leaves" in capsys.readouterr().out
    files = sorted(tmp_path.rglob("*.jpg"))
    assert len(files) == 16
    with Image.open(files[0]) as leaf:
        assert leaf.size == (128, 128)
    files[0].unlink()
    write_sample(tmp_path)
    assert not files[0].exists()
