"""A model's answers to a set of images, beside the truth and beside what belongs together."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from contract import Adjustment


def _unknown() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A model's answers on some images: `logits` float32 [N, C], `targets` int64 [N].

    `clusters` int64 [N]: images of one object share a number and are resampled together. Left out, each image is a
    cluster of its own. They are renumbered from 0.
    """

    logits: NDArray[np.float32]
    targets: NDArray[np.int64]
    clusters: NDArray[np.int64] = field(default_factory=_unknown)

    def __post_init__(self) -> None:
        count = len(self.targets)
        given = self.clusters if len(self.clusters) else np.arange(count)
        if len(self.logits) != count or len(given) != count:
            raise ValueError(f"{len(self.logits)} logits, {count} targets and {len(given)} clusters; expected as many")
        object.__setattr__(self, "clusters", np.unique(given, return_inverse=True)[1].astype(np.int64))

    def part(self, chosen: NDArray[np.bool_]) -> "Answers":
        """The answers on the images that `chosen` [N] marks."""
        return Answers(logits=self.logits[chosen], targets=self.targets[chosen], clusters=self.clusters[chosen])

    def adjusted(self, adjustment: Adjustment) -> "Answers":
        """The same with the adjustment for rare classes taken off the logits: what is answered and served."""
        return replace(self, logits=self.logits - adjustment.offsets)

    @property
    def answered(self) -> NDArray[np.int64]:
        """The class with the largest logit, int64 [N]."""
        result: NDArray[np.int64] = self.logits.argmax(axis=1).astype(np.int64)
        return result

    def log_probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Log of softmax(logits / temperature), float64 [N, C], in nats."""
        result: NDArray[np.float64] = log_softmax(self.logits.astype(np.float64) / temperature, axis=1)
        return result

    def confidences(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """The probability of the answered class, float64 [N]."""
        result: NDArray[np.float64] = np.exp(self.log_probabilities(temperature).max(axis=1))
        return result
