"""What to serve, where, and within which limits."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from runtime.providers import ProviderName
from serve.repository import Repository


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Serve a bundle, or several, over HTTP."""

    bundle: Path | None = None
    """The bundle's folder."""
    models: Path | None = None
    """A folder of bundles, in its place: several models, and versions of them. SIGHUP reads it anew."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 opens the server to the network."""
    port: int = 5000
    """Port to listen on; 0 takes a free one."""
    grpc_port: int | None = None
    """Port for the Open Inference Protocol V2 over gRPC, beside HTTP; 0 takes a free one, none unless given."""
    provider: ProviderName = "cpu"
    """Where to compute."""
    runners: int = 0
    """Batches that are run at once; 0 measures what is best here."""
    threads: int = 0
    """Threads that each of them takes; 0 measures."""
    max_batch: int = 8
    """Largest batch that waiting images may be gathered into; how many pay is measured."""
    max_wait_ms: int = 1500
    """A picture that would wait longer than this for its turn is answered with 429."""
    timeout_ms: int = 10_000
    """Time for a request; the header X-Request-Timeout-Ms may shorten it. What can't be answered by then is 504."""
    drain_ms: int = 3000
    """After SIGTERM the server says that it is not ready, and goes on answering for so long before it ends."""
    max_body_mb: float = 20
    """Largest request body, in megabytes (10^6 bytes)."""
    max_bodies_mb: float = 256
    """Megabytes that the bodies of all requests may take at once; a request beyond that is answered with 429."""
    max_files: int = 64
    """Most pictures in one request."""
    api_key_file: Path | None = None
    """File whose first line is a key that every request must bring, as Authorization: Bearer or X-API-Key."""
    admin_token_file: Path | None = None
    """File whose first line is the token for the routes that load and unload models; without it there are none."""
    tls_certificate: Path | None = None
    """File with the server's certificate and its chain; with it the server speaks HTTPS."""
    tls_key: Path | None = None
    """File with the certificate's private key."""
    cors_origins: tuple[str, ...] = ()
    """Other sites whose pages may ask this server, such as https://example.org; none unless named."""
    access_log: bool = False
    """Write a line of JSON for each request."""
    top_k: int = 5
    """How many classes an answer names unless the request says otherwise."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            "expected either --bundle or --models": (self.bundle is None) != (self.models is None),
            f"port is {self.port}; expected 0 to 65535": 0 <= self.port <= 65535,
            f"grpc_port is {self.grpc_port}; expected 0 to 65535": 0 <= (self.grpc_port or 0) <= 65535,
            f"grpc_port is {self.grpc_port}, as port is; expected another": not 0 < self.port == self.grpc_port,
            f"threads is {self.threads}; expected 0 or more": self.threads >= 0,
            f"max_batch is {self.max_batch}; expected at least 1": self.max_batch >= 1,
            f"runners is {self.runners}; expected 0 or more": self.runners >= 0,
            f"max_wait_ms is {self.max_wait_ms}; expected at least 1": self.max_wait_ms >= 1,
            f"timeout_ms is {self.timeout_ms}; expected at least 1": self.timeout_ms >= 1,
            f"drain_ms is {self.drain_ms}; expected 0 or more": self.drain_ms >= 0,
            f"max_files is {self.max_files}; expected at least 1": self.max_files >= 1,
            f"max_body_mb is {self.max_body_mb}; expected above 0": self.max_body_mb > 0,
            f"max_bodies_mb is {self.max_bodies_mb}; expected at least max_body_mb, which is {self.max_body_mb}": (
                self.max_bodies_mb >= self.max_body_mb
            ),
            "tls_certificate and tls_key go together; give both": bool(self.tls_certificate) == bool(self.tls_key),
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def repository(self) -> Repository:
        """Where the bundles are."""
        if self.models:
            return Repository(self.models)
        assert self.bundle is not None
        return Repository(self.bundle, single=True)

    @property
    def max_body_bytes(self) -> int:
        """The body limit in bytes."""
        return int(self.max_body_mb * 1_000_000)

    @property
    def max_bodies_bytes(self) -> int:
        """The most bytes of bodies that are held at once."""
        return int(self.max_bodies_mb * 1_000_000)
