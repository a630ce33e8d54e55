"""A tiny run with an int8 graph and its certificate, judged by pictures that are drawn here."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from export.fast.config import FastConfig
from runtime import Mode, modes
from runtime.modes import is_here
from tests.pictures import TINTS, draw, encode

needs_int8 = pytest.mark.skipif(not is_here(Mode("cpu", "int8")), reason="this processor has no int8 dot products")
# So many objects, none lost, bound the loss by a tenth: little, for a tiny set.
ENOUGH = 40


def write_evidence(folder: Path, count: int = ENOUGH, seed: int = 50_000) -> Path:
    """Pictures without labels, each of its own pattern, so that no two show the same object."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    tints = list(TINTS.values())
    for number in range(count):
        picture = draw((48, 48), tints[number % len(tints)], seed=seed + number)
        for _ in range(4):
            x, y, side = rng.integers(0, 36, 3)
            picture.paste(tuple(rng.integers(0, 256, 3).tolist()), (x, y, x + 4 + side // 3, y + 4 + side // 3))
        (folder / f"{number:03}.jpg").write_bytes(encode(picture))
    return folder


def copy_run(run: Path, name: str) -> Path:
    """A copy of a run beside it, whose paths to images hold there too."""
    return Path(shutil.copytree(run, run.with_name(name)))


def fast_config(run: Path, evidence: Path | None, **options: object) -> FastConfig:
    """Judge int8 on the processor, which may lose up to a tenth."""
    values = {"max_loss": 10.0, "modes": ("cpu:int8",), "evidence": evidence, **options}
    return FastConfig(run=run.name, runs=run.parent, **values)  # type: ignore[arg-type]


def render_differently(patch: pytest.MonkeyPatch) -> None:
    """No certificate allows what int8 differs by here."""
    patch.setattr(modes, "DRIFT_SCALE", 0.0)
    patch.setattr(modes, "DRIFT_SLACK", 1e-9)
