"""Objects that were lost, of so many in, the most that can be lost of all out."""

import math

from scipy.stats import beta


def upper_bound(lost: int, objects: int, confidence: float) -> float:
    """The one-sided upper bound of a share, exact: Clopper and Pearson 1934, Biometrika 26, 404-413.

    Unlike a bootstrap's it is not 0 where nothing was lost: 1 - (1 - confidence)^(1 / objects) then.
    """
    if lost >= objects:
        return 1.0
    return float(beta.ppf(confidence, lost + 1, objects - lost))


def lower_bound(lost: int, objects: int, confidence: float) -> float:
    """The one-sided lower bound of a share, exact as `upper_bound` is."""
    return 0.0 if lost == 0 else float(beta.ppf(1 - confidence, lost, objects - lost + 1))


def objects_needed(lost: int, max_loss: float, confidence: float) -> int:
    """How many objects it takes at least, of which `lost` are lost, for a bound of at most `max_loss` (0 to 1)."""
    low, high = lost, max(lost + 1, math.ceil((lost + 1) / max_loss))
    while upper_bound(lost, high, confidence) > max_loss:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(lost, middle, confidence) <= max_loss else (middle, high)
    return high
