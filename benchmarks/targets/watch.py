"""Processes in, what they took of the machine while a measurement ran out."""

import threading
import time
from dataclasses import dataclass, field

import psutil

EVERY_S = 0.25


@dataclass(frozen=True)
class Usage:
    """A server's processes together."""

    cpu: float
    """Processor seconds per second."""
    rss_mb: float
    """The largest resident memory, in 10^6 bytes; memory that processes share counts in each."""


@dataclass
class Watch:
    """Looks at a process and its children every `every_s`, from `with` to its end."""

    pid: int
    every_s: float = EVERY_S
    seconds: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        self._stop = threading.Event()
        self._begin = time.perf_counter()
        self._look()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(self.every_s):
            self._look()

    def _look(self) -> None:
        """Note the family's memory and time; a process that just ended counts for nothing."""
        rss, cpu = 0.0, 0.0
        for process in family(self.pid):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss += process.memory_info().rss / 1e6
                    cpu += times.user + times.system
            except psutil.Error:
                continue
        self.seconds.append(time.perf_counter() - self._begin)
        self.rss_mb.append(rss)
        self.cpu_s.append(cpu)

    @property
    def usage(self) -> Usage:
        """What was seen."""
        cpu = (self.cpu_s[-1] - self.cpu_s[0]) / (self.seconds[-1] - self.seconds[0])
        return Usage(cpu=max(0.0, cpu), rss_mb=max(self.rss_mb))


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it; nothing if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
