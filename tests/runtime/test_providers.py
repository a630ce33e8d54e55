from pathlib import Path

import pytest

from runtime import ProviderError, Session
from runtime.providers import PROVIDERS, check_in_use


def test_a_provider_that_did_not_load_is_an_error(bundle: Path) -> None:
    session = Session((bundle / "model.onnx").read_bytes())
    check_in_use(session.session, PROVIDERS["cpu"])
    with pytest.raises(
        ProviderError, match=r"CUDAExecutionProvider did not load .* would use CPUExecutionProvider instead"
    ):
        check_in_use(session.session, PROVIDERS["cuda"])
