"""One measurement, request by request: when it was due, sent and answered, and what the answer was worth."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Outcome(IntEnum):
    """What came of a request. Only OK enters the latencies."""

    OK = 0
    WRONG = 1
    """An answer that is not the model's: another class, other probabilities, or no JSON."""
    SHED = 2
    """429 or 503: the server said that it is busy."""
    TIMEOUT = 3
    """No answer within the client's patience, or 504."""
    ERROR = 4
    """Any other status, or a broken connection."""


# Seconds since the measurement began. `due` is when the request should have been sent: latency counts from there, or a
# server that stalls would be asked less and look better for it (coordinated omission).
DTYPE = np.dtype(
    [
        ("due", np.float64),
        ("sent", np.float64),
        ("done", np.float64),
        ("outcome", np.uint8),
        ("picture", np.int32),
        ("decode_ms", np.float32),
        ("queue_ms", np.float32),
        ("inference_ms", np.float32),
        ("batch", np.float32),
    ]
)
STAGES = ("decode", "queue", "inference")


@dataclass(frozen=True)
class Samples:
    """The requests of one measurement that lasted `seconds`, and what the load generator itself took."""

    rows: NDArray[np.void]
    seconds: float
    generator_cpu: float
    """Processor seconds of the generator, per second."""

    @property
    def answered(self) -> NDArray[np.void]:
        """The requests with a right answer."""
        answered: NDArray[np.void] = self.rows[self.rows["outcome"] == Outcome.OK]
        return answered

    @property
    def latencies_ms(self) -> NDArray[np.float64]:
        """From the moment each right answer was due, in ms."""
        latencies: NDArray[np.float64] = 1000 * (self.answered["done"] - self.answered["due"])
        return latencies

    @property
    def refusals_ms(self) -> NDArray[np.float64]:
        """From the moment each request that was shed was due until it heard so, in ms."""
        shed = self.rows[self.rows["outcome"] == Outcome.SHED]
        refusals: NDArray[np.float64] = 1000 * (shed["done"] - shed["due"])
        return refusals

    @property
    def lateness_ms(self) -> NDArray[np.float64]:
        """How much later than due requests were sent: the generator's own delay."""
        lateness: NDArray[np.float64] = 1000 * (self.rows["sent"] - self.rows["due"])
        return lateness

    @property
    def throughput(self) -> float:
        """Right answers per second, between two answers and not between two moments.

        Answers come in batches, and at the beginning there are none: the clock starts with the answer to the last
        request that was under way when the first answer came.
        """
        done = np.sort(self.answered["done"][self.answered["done"] <= self.seconds])
        under_way = int(np.sum(self.rows["sent"] <= done[0])) if len(done) else 0
        if len(done) <= 2 * under_way:  # too few to leave any out
            return len(done) / self.seconds
        return float((len(done) - under_way) / (done[-1] - done[under_way - 1]))

    def between(self, begin: float, end: float) -> "Samples":
        """The requests that were due from `begin` to `end`, as a measurement of their own."""
        rows = self.rows[(self.rows["due"] >= begin) & (self.rows["due"] < end)].copy()
        for moment in ("due", "sent", "done"):
            rows[moment] -= begin
        return Samples(rows, end - begin, self.generator_cpu)

    def count(self, outcome: Outcome) -> int:
        """How many requests ended so."""
        return int(np.sum(self.rows["outcome"] == outcome))
