"""Features of images, kept by the content of image and network: what was computed once is not computed again."""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract.text import as_json
from training.baseline.network import Network

TABLE = "CREATE TABLE IF NOT EXISTS features (sha256 TEXT PRIMARY KEY, numbers)"
# The number is raised with every change of what is computed.
VERSION = 1
# Each network has a file of its own: some 8 kB an image.
MOST_NETWORKS = 5

Floats = NDArray[np.float32]


def identify(network: Network) -> str:
    """SHA-256 over everything that the features depend on, but the images."""
    digest = hashlib.sha256(as_json([VERSION, network.trained, asdict(network.spec)]).encode())
    for name, tensor in network.model.state_dict().items():
        if not name.startswith("backbone.fc."):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class FeatureCache:
    """The features of one network, float32 [F] by the SHA-256 of the image's file.

    Raises `sqlite3.Error` or `OSError`.
    """

    def __init__(self, folder: Path, network: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{network[:16]}.sqlite"
        path.touch()
        for old in sorted(folder.glob("*.sqlite"), key=lambda file: file.stat().st_mtime)[:-MOST_NETWORKS]:
            old.unlink()
        self._connection = sqlite3.connect(path, timeout=60)
        with self._connection:
            self._connection.execute(TABLE)

    def get(self, hashes: Sequence[str]) -> dict[str, Floats]:
        """The features of those of these images that were kept."""
        wanted = set(hashes)
        rows = self._connection.execute("SELECT sha256, numbers FROM features")
        return {sha256: np.frombuffer(numbers, np.float32) for sha256, numbers in rows if sha256 in wanted}

    def add(self, features: Mapping[str, Floats]) -> None:
        """Keep these too."""
        rows = [(sha256, numbers.astype(np.float32).tobytes()) for sha256, numbers in features.items()]
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
