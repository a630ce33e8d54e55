"""Describes the machine that measurements depend on."""

import math
import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Number of CPU cores that this process may use: those of the machine, within the quota of its container."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return there if quota is None else max(1, min(there, math.ceil(quota)))


def _quota() -> float | None:
    """How many cores' time the container may take (cgroups version 2, else 1); None without a limit."""
    try:
        if (CGROUP / "cpu.max").exists():
            quota, period = (CGROUP / "cpu.max").read_text().split()
        else:
            quota, period = ((CGROUP / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no cgroups, or "max"
        return None


def graphics_cards() -> list[str]:
    """The names of NVIDIA's cards here, as their driver on Linux tells them."""
    paths = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for path in paths for line in path.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def processor() -> str:
    """The processor's name, from /proc/cpuinfo on Linux; "unknown" if the system does not report it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or "unknown"
