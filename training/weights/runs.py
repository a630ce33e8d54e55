"""`WEIGHTS=` that names a run in, its best epoch's file out, with the split that keeps its figures true."""

from dataclasses import replace
from pathlib import Path

from dataset.reading.sources import read_source
from training.config import TrainConfig
from training.run_files import BEST, CONFIG_FILE, SPLIT_FILE, read_config
from training.weights.errors import WeightsError


def find_run(weights: str, runs: Path) -> Path | None:
    """The folder of the run that `weights` names, by its path or by its name in `runs`; None if it names none."""
    if weights in ("auto", "imagenet", "none") or Path(weights).is_file():
        return None
    return next((folder for folder in (runs / weights, Path(weights)) if (folder / CONFIG_FILE).is_file()), None)


def best_of(folder: Path, arch: str) -> Path:
    """The weights of a run's best epoch. Raises `WeightsError` if there are none, or of another architecture."""
    best = folder / BEST
    if not best.is_file():
        raise WeightsError(f"the run {folder} has no weights yet ({best} does not exist); train it first")
    own = read_config(folder)["arch"]
    if own != arch:
        raise WeightsError(f"the run {folder} is a {own}, not a {arch}; set ARCH={own}")
    return best


def begin_from_run(config: TrainConfig) -> TrainConfig:
    """The same, with a run that `weights` names replaced by its file; its split is kept unless another is given.

    So a finished run goes on with other settings under another name, and what it was tested on stays unseen.
    """
    folder = find_run(config.weights, config.runs)
    if folder is None:
        return config
    split = config.split
    if split is None and (folder / SPLIT_FILE).is_file() and not _has_splits(config):
        split = folder / SPLIT_FILE
    return replace(config, weights=str(best_of(folder, config.arch)), split=split)


def _has_splits(config: TrainConfig) -> bool:
    source = read_source(config.data, classes=config.chosen_classes, skip_missing=True)
    return any(entry.split for entry in source.entries)
