"""A configuration in, the make command that gives it again out."""

import shlex
from dataclasses import MISSING, fields
from typing import Any

from training.config import TrainConfig

# Fields that have a variable of their own in the Makefile; the others travel in ARGS.
VARIABLES = (
    *("data", "run", "arch", "weights", "freeze", "size", "fit", "epochs", "steps", "batch", "lr", "names"),
    *("schedule", "optimizer", "contrast", "augment", "balance", "folds"),
    *("skip_unreadable", "resume", "overwrite", "classes", "min_images", "shares", "split"),
)


def make_command(config: TrainConfig) -> str:
    """`make train …` with every setting that is not the default, ready to be pasted into a shell."""
    changed = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.default is MISSING or getattr(config, field.name) != field.default
    }
    assigned = [f"{name.upper()}={_text(value)}" for name, value in changed.items() if name in VARIABLES]
    others = [f"--{name.replace('_', '-')} {value}" for name, value in changed.items() if name not in VARIABLES]
    if others:
        assigned.append("ARGS=" + shlex.quote(" ".join(others)))
    return " ".join(["make train", *assigned])


def _text(value: Any) -> str:
    return "1" if value is True else shlex.quote(str(value))
