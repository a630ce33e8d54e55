"""What the tests of the Open Inference Protocol ask and expect, over REST and gRPC alike."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contract import Manifest, preprocess
from contract.graph import Outputs
from runtime import load_model
from tests.pictures import TINTS, draw, encode


@pytest.fixture(scope="package", autouse=True)
def no_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Only this machine is asked: httpx need not read the certificates of a hundred authorities for each request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("authorities")))
        yield


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> Manifest:
    return Manifest.read(bundle)


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [encode(draw((64, 48), TINTS[tint], seed=number)) for number, tint in enumerate(("red", "blue", "grün"))]


@pytest.fixture(scope="module")
def pixels(files: list[bytes], manifest: Manifest) -> NDArray[np.uint8]:
    return np.stack([preprocess(data, manifest.image) for data in files])


@pytest.fixture(scope="module")
def expected(bundle: Path, pixels: NDArray[np.uint8]) -> Outputs:
    return load_model(bundle).run(pixels)
