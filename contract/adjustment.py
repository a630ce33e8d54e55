"""The share of each class in training in, what is taken off its logit so that rare classes are answered too out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Adjustment:
    """Logit adjustment (Menon et al. 2021, arXiv 2007.07314): `tau` log(prior) is taken off the logits.

    `prior` is the share of each class in what the model learned from. With `tau` 0, the default, nothing changes.
    """

    tau: float = 0.0
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the values. Raises `ValueError`."""
        if self.tau and not (self.prior and min(self.prior) > 0):
            raise ValueError(f"prior is {self.prior}; expected a share above 0 for each class")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> "Adjustment":
        """From decoded JSON; none where an older program wrote none. Raises `TypeError`, `ValueError`."""
        return cls(**{**values, "prior": tuple(values["prior"])}) if values else cls()

    @property
    def offsets(self) -> NDArray[np.float32]:
        """What is taken off each logit, float32 [C]; a single 0 for all where nothing changes."""
        return np.float32(self.tau) * np.log(np.array(self.prior if self.tau else (1.0,), np.float32))
