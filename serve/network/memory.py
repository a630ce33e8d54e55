"""How the C library and Python keep what was freed: large blocks go back to the system at once.

glibc takes a large block from the system and gives it back when it is freed, but only until it has seen some of its
size: then it keeps such blocks for the next one, and what small thing lies behind them holds them for good. Requests of
20 MB made the server a third larger than it need be, at random.
"""

import ctypes
import gc

M_MMAP_THRESHOLD = -3
LARGE = 1 << 20


def give_back_large_blocks() -> None:
    """Blocks from `LARGE` bytes on come from the system and go back to it. Does nothing where there is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)


def keep_out_of_collections() -> None:
    """What is there once all is loaded stays: to look through it at each collection would stop every thread for 0.1 s.

    `gc.freeze` is meant for this (Python's documentation of `gc`).
    """
    gc.collect()
    gc.freeze()
