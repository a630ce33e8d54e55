from pathlib import Path

from dataset.data_set import load_data
from training.config import TrainConfig
from training.recipe.plan import make_plan
from training.recipe.words import describe


def said(images: Path, weights: str, split: Path | None = None) -> str:
    config = TrainConfig(data=images, run="r", weights=weights)
    data = load_data(config)
    plan = make_plan(config, list(data.count("train").values()))
    return "\n".join(describe(TrainConfig(data=images, run="r", weights=weights, split=split), plan, data))


def test_the_first_screen_says_where_a_training_begins(images: Path) -> None:
    told = said(images, "runs/first/checkpoints/best.pt", Path("runs/first/split.csv"))
    assert "begins from runs/first/checkpoints/best.pt, with the split of runs/first/split.csv" in told
    assert said(images, "w.pth").endswith("begins from w.pth")
    assert "begins from" not in said(images, "none") + said(images, "imagenet")
