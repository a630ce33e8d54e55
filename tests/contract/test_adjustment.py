import numpy as np
import pytest

from contract import Adjustment


def test_an_adjustment_takes_more_off_common_classes() -> None:
    offsets = Adjustment(tau=0.5, prior=(0.9, 0.1)).offsets
    assert offsets.dtype == np.float32
    assert np.allclose(offsets, 0.5 * np.log([0.9, 0.1]))


def test_without_strength_nothing_changes() -> None:
    logits = np.array([[1.0, 2.0, 3.0]], np.float32)
    assert np.array_equal(logits - Adjustment().offsets, logits)
    assert np.array_equal(logits - Adjustment(tau=0, prior=(0.2, 0.3, 0.5)).offsets, logits)


@pytest.mark.parametrize("prior", [(), (0.5, 0.0), (1.5, -0.5)])
def test_every_class_needs_a_share(prior: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="expected a share above 0 for each class"):
        Adjustment(tau=1, prior=prior)
