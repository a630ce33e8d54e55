"""True and answered classes in, figures in which every class weighs alike out: fast, as thousands are needed."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def mean_recall(targets: Ints, answered: Ints, classes: int) -> float:
    """The recall of the classes that were asked for, averaged."""
    images = np.bincount(targets, minlength=classes)
    right = np.bincount(targets[answered == targets], minlength=classes)
    return float((right[images > 0] / images[images > 0]).mean())


def macro_f1(targets: Ints, answered: Ints, classes: int) -> float:
    """The F1 of the classes that were asked for, averaged."""
    images = np.bincount(targets, minlength=classes)
    right = np.bincount(targets[answered == targets], minlength=classes)
    both = images + np.bincount(answered, minlength=classes)
    return float((2 * right[images > 0] / both[images > 0]).mean())
