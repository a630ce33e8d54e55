"""What to serve, where, and within which limits."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.providers import ProviderName


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Serve a bundle over HTTP."""

    bundle: Path
    """The bundle's folder."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens the server to the network."""
    port: int = 5000
    """Port to listen on; 0 takes a free one."""
    provider: ProviderName = "cpu"
    """Where to compute."""
    threads: int = 0
    """Threads of the session; 0 takes all cores."""
    max_batch: int = 8
    """Largest batch that waiting images are gathered into."""
    max_waiting: int = 64
    """Images that may wait; more are answered with 429."""
    max_body_mb: float = 20
    """Largest request body, in megabytes (10^6 bytes)."""
    max_files: int = 64
    """Most pictures in one request."""
    top_k: int = 5
    """How many classes an answer names unless the request says otherwise."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"port is {self.port}; expected 0 to 65535": 0 <= self.port <= 65535,
            f"threads is {self.threads}; expected 0 or more": self.threads >= 0,
            f"max_batch is {self.max_batch}; expected at least 1": self.max_batch >= 1,
            f"max_waiting is {self.max_waiting}; expected at least max_files, {self.max_files}": self.max_waiting
            >= self.max_files
            >= 1,
            f"max_body_mb is {self.max_body_mb}; expected above 0": self.max_body_mb > 0,
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def max_body_bytes(self) -> int:
        """The body limit in bytes."""
        return int(self.max_body_mb * 1_000_000)
