"""Describes the machine that measurements depend on."""

import contextlib
import functools
import math
import os
import platform
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CPUINFO = Path("/proc/cpuinfo")
# The first version of cgroups writes a number of this size where there is no limit.
NO_LIMIT = 1 << 60
# What matters to the precisions, and the words by which Linux names it (x86, ARM).
FLAGS = {
    "vnni": {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"},
    "bf16": {"avx512_bf16", "amx_bf16", "bf16"},
    "amx": {"amx_tile"},
}


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


def memory_limit() -> int | None:
    """How many bytes the container may take (cgroups version 2, else 1); None without a limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # no cgroups, or "max"
            limit = int((CGROUP / name).read_text())
            return limit if 0 < limit < NO_LIMIT else None
    return None


def resident_bytes() -> int:
    """What this process has in memory now, as Linux tells it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def graphics_cards() -> list[str]:
    """The names of NVIDIA's cards here, as their driver on Linux tells them."""
    paths = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for path in paths for line in path.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def processor() -> str:
    """The processor's name, from /proc/cpuinfo on Linux; "unknown" if the system does not report it."""
    return _cpuinfo("model name") or platform.processor() or "unknown"


@functools.cache
def features() -> frozenset[str]:
    """Which of "vnni", "bf16" and "amx" the processor has, as far as the system tells."""
    words = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    apple = {"vnni"} if (platform.system(), platform.machine()) == ("Darwin", "arm64") else set()
    return frozenset(apple | {feature for feature, flags in FLAGS.items() if words & flags})


def _cpuinfo(name: str) -> str:
    """The first entry of that name; empty where there is none."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
