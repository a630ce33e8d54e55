"""What makes a run the run that it is: the content of its images and weights, and its settings, but no path."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from contract.image import LATEST_DECODING
from contract.manifest import sha256_of
from dataset.config import DataOptions
from training.config import TrainConfig

# The data's fingerprint stands for these; the seed is for more than the split.
_IN_THE_FINGERPRINT = {field.name for field in fields(DataOptions)} - {"seed"}
# How a run is started or where it is computed; none of it makes another run of it.
_NOT_PART_OF_THE_RUN = {"resume", "resume_elsewhere", "overwrite", "runs", "workers"}


def settings(config: TrainConfig, fingerprint: str) -> dict[str, Any]:
    """What is written down about a run, as JSON takes it."""
    values = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(config).items()
        if name not in _NOT_PART_OF_THE_RUN
    }
    path = Path(config.weights)
    return {
        **values,
        "weights_sha256": sha256_of(path) if path.is_file() else None,
        "data_fingerprint": fingerprint,
        # A run that was begun with other pixels can't go on with these.
        "decoding": LATEST_DECODING,
    }


def differences(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """A phrase for each setting that makes two runs differ."""
    ignored = set(_IN_THE_FINGERPRINT)
    if now["weights_sha256"] is not None:
        ignored.add("weights")  # a weights file may have been moved; its content decides
    return [
        f"{name} was {then.get(name)}, now {value}"
        for name, value in now.items()
        if name not in ignored and then.get(name) != value
    ]
