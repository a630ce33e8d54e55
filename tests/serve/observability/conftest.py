"""A collector, to which the servers under test send their spans."""

from collections.abc import Iterator

import pytest

from tests.serve.observability.collector import Collector


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Takes the spans that a server sends."""
    running = Collector()
    yield running
    running.close()
