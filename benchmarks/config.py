"""What to load, how, and for how long."""

import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmarks.protocols import ProtocolName
from contract import UsageError

ServerName = Literal[
    "lean", "torchscript", "onnx", "image_classifier", "flask", "fastapi", "litserve", "bentoml", "ray"
]
SizeName = Literal["256 px", "640x480", "1080p", "12 MP"]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Load the lean server and TorchServe with a bundle, one after the other, or one server that runs already."""

    bundle: Path
    """The bundle's folder: what to serve, and what every answer is compared with."""
    servers: tuple[ServerName, ...] = ("lean", "torchscript", "onnx")
    """Servers to start: the lean one, TorchServe with TorchScript, TorchServe with ONNX, and the baselines."""
    target: str = ""
    """Address of a server that runs already, in place of those: http://host:port."""
    protocol: ProtocolName = "predict"
    """How to ask it."""
    images: Path | None = None
    """Folder of pictures to make the corpus from; by default the bundle's golden files."""
    out: Path | None = None
    """Folder for the results; by default benchmarks/results/<date>-<host>."""
    sizes: tuple[SizeName, ...] = ("256 px", "640x480", "1080p", "12 MP")
    """Sizes of the pictures in the mixed corpus."""
    quick: bool = False
    """Less of everything, in under three minutes."""
    clients: tuple[int, ...] = (1, 8, 32)
    """Closed loop: how many clients ask at once."""
    shares: tuple[float, ...] = (0.5, 0.8)
    """Open loop: rates, as shares of the most that the closed loop reached."""
    overloads: tuple[float, ...] = (2, 10)
    """Open loop beyond what the server can do, as multiples of it."""
    slo_ms: float = 500
    """Latency that 99 % of requests must keep for a rate to count as carried."""
    seconds: float = 10
    """Time of one measurement."""
    repeats: int = 3
    """How often each is repeated."""
    slow_clients: int = 0
    """How many clients that send or read too slowly to measure beside; 0 leaves it out."""
    soak_s: float = 60
    """Time of the soak; 0 leaves it out."""
    search_steps: int = 6
    """Halvings in the search for the highest rate; 0 leaves it out."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"clients is {self.clients}; expected numbers from 1": bool(self.clients) and min(self.clients) >= 1,
            f"shares is {self.shares}; expected numbers above 0": all(share > 0 for share in self.shares),
            "sizes is empty; expected at least one": bool(self.sizes),
            f"overloads is {self.overloads}; expected numbers above 1": all(value > 1 for value in self.overloads),
            f"slo_ms is {self.slo_ms}; expected above 0": self.slo_ms > 0,
            f"seconds is {self.seconds}; expected at least 1": self.seconds >= 1,
            f"repeats is {self.repeats}; expected at least 1": self.repeats >= 1,
            f"slow_clients is {self.slow_clients}; expected 0 or more": self.slow_clients >= 0,
            f"target is {self.target}; expected http://host:port": not self.target or self.target.startswith("http"),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def effective(self) -> "BenchConfig":
        """With the folder settled, and with `quick` the short form of everything."""
        settled = replace(self, out=self.folder)
        if not self.quick:
            return settled
        short = replace(settled, servers=self.servers[:2], clients=(1, 8), shares=(0.5,), overloads=(2,))
        return replace(short, seconds=4, repeats=1, soak_s=0, search_steps=0)

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{platform.node()}"
