"""What else the machine is doing in, how many threads should compute the training steps out."""

import os

import psutil
import torch

# Seconds that are looked at.
LOOK = 0.1


def idle_threads() -> int:
    """The cores that other programs leave idle now, at least one; what OMP_NUM_THREADS says is left as it is.

    Threads wait for one another by spinning: where one shares its core, the others lose its time too. On two cores,
    beside one busy program, one thread is three times as fast as two.
    """
    threads = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return threads
    cores = psutil.cpu_count() or 1
    busy = psutil.cpu_percent(interval=LOOK) / 100 * cores
    return max(1, min(threads, round(cores - busy)))


def use_threads(kept: int | None) -> str:
    """Compute on as many threads as the run began with, or on those that are idle; returns words on it, or nothing.

    Other threads would add up in another order and end in other weights, so the number is fixed for a run.
    """
    most = torch.get_num_threads()
    torch.set_num_threads(kept or idle_threads())
    now = torch.get_num_threads()
    if now >= most:
        return ""
    return f"on {now} of {most} cores, as {'it was begun' if kept else 'other programs keep the rest busy'}"
