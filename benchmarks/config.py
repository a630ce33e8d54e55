"""What to load, how, and for how long."""

import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmarks.load.protocols import ProtocolName
from contract import UsageError, UserError

ServerName = Literal[
    "lean",
    "lean-int8",
    "lean-openvino-bf16",
    "lean-openvino-int8",
    "fast",
    "torchscript",
    "onnx",
    "image_classifier",
    "flask",
    "fastapi",
    "litserve",
    "bentoml",
    "ray",
]
USUAL: tuple[ServerName, ...] = ("lean", "torchscript", "onnx")
SizeName = Literal["256 px", "640x480", "1080p", "12 MP"]
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Load-test servers with a bundle: several servers one after the other, or one that is already running."""

    bundle: Path
    """Folder of the bundle to serve. Every answer is compared with the answer of its model."""
    servers: tuple[ServerName, ...] = ()
    """Servers to start: lean (make serve in fp32, or in the fast mode that its name says; fast: in each that may serve
    here), TorchServe with torchscript or onnx, and the baselines. Default: lean, torchscript and onnx; with --quick
    only the first two."""
    target: str = ""
    """Address of a server that is already running, http://host:port. If given, no server is started."""
    protocol: ProtocolName = "predict"
    """Protocol for the requests to --target."""
    api_key_file: Path | None = None
    """File whose first line is the API key of --target."""
    images: Path | None = None
    """Folder with the test images. Default: the bundle's golden files."""
    out: Path | None = None
    """Folder for the results. Default: benchmarks/results/<date>-<host>."""
    sizes: tuple[SizeName, ...] = ("256 px", "640x480", "1080p", "12 MP")
    """Sizes of the images in the mixed input."""
    quick: bool = False
    """Run a shorter test, in under three minutes for two servers."""
    clients: tuple[int, ...] = (1, 8, 32)
    """Closed loop: numbers of concurrent clients to test."""
    shares: tuple[float, ...] = (0.5, 0.8)
    """Open loop: request rates to test, as shares of the server's capacity (the best rate of the closed loop)."""
    overloads: tuple[float, ...] = (2, 10)
    """Overload tests: request rates as multiples of the server's capacity."""
    crowds: tuple[int, ...] = (256,)
    """Crowd tests: numbers of clients that ask again at once when they are refused, whatever Retry-After says."""
    slo_ms: float = 500
    """Latency limit (SLO) in ms. The goodput test searches the highest rate at which 99 % of requests keep it."""
    seconds: float = 10
    """Duration of one measurement, in seconds."""
    repeats: int = 3
    """Number of repeats of each measurement."""
    slow_clients: int = 0
    """Number of slow clients during the slow client test (they send or read very slowly). 0 skips the test."""
    soak_s: float = 60
    """Duration of the soak test (a long test that watches the memory), in seconds. 0 skips the test."""
    search_steps: int = 6
    """Steps of the goodput test's binary search. 0 skips the test."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"clients is {self.clients}; expected numbers of at least 1": bool(self.clients) and min(self.clients) >= 1,
            f"shares is {self.shares}; expected numbers greater than 0": all(share > 0 for share in self.shares),
            "sizes is empty; expected at least one": bool(self.sizes),
            f"overloads is {self.overloads}; expected numbers greater than 1": all(
                value > 1 for value in self.overloads
            ),
            f"crowds is {self.crowds}; expected numbers of at least 1": all(value >= 1 for value in self.crowds),
            f"slo_ms is {self.slo_ms}; expected more than 0": self.slo_ms > 0,
            f"seconds is {self.seconds}; expected at least 1": self.seconds >= 1,
            f"repeats is {self.repeats}; expected at least 1": self.repeats >= 1,
            f"slow_clients is {self.slow_clients}; expected 0 or more": self.slow_clients >= 0,
            f"target is {self.target}; expected http://host:port": not self.target or self.target.startswith("http"),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def effective(self) -> "BenchConfig":
        """With the folder settled, and with `quick` the short form of everything."""
        usual = USUAL[:2] if self.quick else USUAL
        settled = replace(self, out=self.folder, servers=self.servers or usual)
        if not self.quick:
            return settled
        short = replace(settled, clients=(1, 8), shares=(0.5,), overloads=(2,), crowds=self.crowds[:1])
        return replace(short, seconds=4, repeats=1, soak_s=0, search_steps=0)

    @property
    def headers(self) -> dict[str, str]:
        """What every request says besides its picture. Raises `UserError`."""
        if self.api_key_file is None:
            return {}
        try:
            key = self.api_key_file.read_text(encoding="ascii").splitlines()[0].strip()
        except (OSError, ValueError, IndexError) as error:
            raise UserError(f"the API key can't be read from {self.api_key_file} ({error})") from error
        return {"Authorization": f"Bearer {key}"}

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{platform.node()}"
