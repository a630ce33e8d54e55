"""What is measured, where little is said."""

from pathlib import Path

import pytest

from benchmarks.config import BenchConfig, ServerName
from contract import UsageError


@pytest.mark.parametrize("given", [(), ("lean", "onnx", "flask")])
def test_the_short_form_measures_every_server_that_is_named(given: tuple[ServerName, ...]) -> None:
    config = BenchConfig(bundle=Path("bundle"), servers=given, quick=True).effective
    assert config.servers == (given or ("lean", "torchscript"))
    assert config.crowds == (256,)


def test_a_crowd_of_nobody_is_refused() -> None:
    with pytest.raises(UsageError, match=r"crowds is \(0,\); expected numbers of at least 1"):
        BenchConfig(bundle=Path("bundle"), crowds=(0,))
