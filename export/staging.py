"""A bundle in the making, which takes the place of the old one once it is complete."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.atomic import sync_folder

BUNDLE = "bundle"
STAGE_PREFIX = ".bundle-"


@contextmanager
def staged(bundle: Path) -> Iterator[Path]:
    """A temporary folder that replaces the old `bundle` on success and is removed on failure."""
    for abandoned in bundle.parent.glob(f"{STAGE_PREFIX}*"):  # left behind by an export that was killed
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=STAGE_PREFIX, dir=bundle.parent) as temporary:
        stage = Path(temporary) / BUNDLE
        stage.mkdir()
        yield stage
        old = Path(temporary) / "old"
        if bundle.exists():
            bundle.rename(old)
        stage.rename(bundle)
        sync_folder(bundle.parent)
        shutil.rmtree(old, ignore_errors=True)
