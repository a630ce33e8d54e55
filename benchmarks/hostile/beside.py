"""Something is done to a server by another process; how honest clients fare meanwhile, and what the server takes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from benchmarks.hostile.bodies import Request
from benchmarks.hostile.flood import Ending, ask
from benchmarks.targets.servers import Target
from benchmarks.targets.watch import Watch

EVERY_S = 0.02
PATIENCE_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Meanwhile:
    """What was seen while it was done."""

    done: list[Ending]
    """What those heard who did it."""
    honest: list[Ending]
    """One request after another, with a short break."""
    above_idle_mb: float
    """The most memory that the server took, less what it took before."""

    @property
    def heard(self) -> Counter[int]:
        """How many of those who did it heard which status; 0 is nothing."""
        return Counter(ending.status for ending in self.done)

    def honest_ms(self, percentile: float) -> float:
        """How long honest clients waited for an answer."""
        return 1000 * float(np.percentile([ending.seconds for ending in self.honest], percentile))

    @property
    def honest_share(self) -> float:
        """Honest clients with a good answer."""
        return float(np.mean([ending.status == 200 for ending in self.honest]))


def watch(
    target: Target, elsewhere: Executor, honest: Request, do: Callable[..., list[Ending]], *given: object
) -> Meanwhile:
    """Let another process `do` it with `given`, and ask `honest` until it is over."""
    assert target.pid is not None
    with Watch(target.pid, every_s=EVERY_S) as seen:
        doing = elsewhere.submit(do, target.base, *given)
        answers = list[Ending]()
        while not doing.done():
            answers.append(asyncio.run(ask(target.base, honest, PATIENCE_S)))
            time.sleep(EVERY_S)
    peak = max(seen.rss_mb) - seen.rss_mb[0]
    return Meanwhile(done=doing.result(), honest=answers, above_idle_mb=peak)
