"""Running out of memory, told in words that help."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.config import TrainConfig
from training.errors import OutOfMemoryError

# As torch words it on the CPU, and as its loader does when the system killed one of its processes.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "is killed by signal: Killed")


@contextmanager
def explained(config: TrainConfig, batch: int) -> Iterator[None]:
    """Turn a failed allocation into an `OutOfMemoryError` that says what to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not known and not any(sign in str(error) for sign in _SIGNS):
            raise
        smaller = f"BATCH={batch // 2}" if batch >= 4 else f"SIZE={config.size // 2}"
        raise OutOfMemoryError(
            f"out of memory: {config.arch} with BATCH={batch} and SIZE={config.size} does not fit; "
            f"try {smaller}, or close other programs"
        ) from error
