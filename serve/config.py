"""What to serve, where, and within which limits."""

import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from contract import UsageError, UserError
from contract.errors import StartError
from runtime.modes import WantedPrecision, WantedProvider
from runtime.serve_settings import read_settings

ORIGIN = re.compile(r"\*|https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Serve one or several models over HTTP, and over gRPC if wanted."""

    bundle: Path | None = None
    """Folder of the bundle to serve. Give either this or --models."""
    models: Path | None = None
    """Folder with several bundles: several models, and versions of them. On SIGHUP the server reads it again."""
    host: str = "127.0.0.1"
    """Address to listen on. 0.0.0.0 makes the server reachable from the network."""
    port: int = 5000
    """Port to listen on. 0 chooses a free port."""
    grpc_port: int | None = None
    """Port for the Open Inference Protocol V2 over gRPC. 0 chooses a free port. If not given, there is no gRPC."""
    provider: WantedProvider = "auto"
    """What runs the models: the processor by cpu or openvino, an NVIDIA GPU by cuda or tensorrt. auto: the fastest."""
    precision: WantedPrecision = "auto"
    """fp32, or a faster one that the bundle has a certificate for. auto: the fastest of those on this machine."""
    settings: Path | None = None
    """File that make tune wrote for this bundle on this machine: provider, precision, runners, threads and max_batch,
    each unless it is given here."""
    cache: Path | None = None
    """Folder where the measurement of the first start is kept. If not given, it is kept beside the bundle."""
    runners: int = 0
    """Number of batches that run in parallel. 0: measure the best number on this machine."""
    threads: int = 0
    """Number of threads for each of these batches. 0: measure the best number on this machine."""
    max_batch: int = 8
    """Upper limit for the batch size. The server measures which size up to this limit is best."""
    max_wait_ms: int = 1500
    """Admission control: if a new image would wait in the queue longer than this, the server answers 429."""
    timeout_ms: int = 10_000
    """Time limit for a request; the header X-Request-Timeout-Ms can shorten it. After it, the server answers 504."""
    keep_alive_s: int = 75
    """Seconds that an idle connection is kept open. It should be longer than a load balancer keeps its own."""
    drain_ms: int = 3000
    """Graceful shutdown: after SIGTERM, the server reports "not ready" but answers requests for this long."""
    max_body_mb: float = 20
    """Largest request body, in megabytes (10^6 bytes)."""
    max_memory_mb: float = 400
    """Megabytes that all requests may take at once. Bodies and answers get two fifths of it, beyond which a request is
    answered with 429; pictures wait until there is room to unpack them, and larger ones than the rest are refused."""
    max_files: int = 64
    """Largest number of images in one request."""
    api_key_file: Path | None = None
    """File whose first line is the API key. Clients must then send it as Authorization: Bearer or X-API-Key."""
    admin_token_file: Path | None = None
    """File whose first line is the token for the routes that load and unload models. If not given, they are off."""
    tls_certificate: Path | None = None
    """File with the server's TLS certificate and its chain. If given, the server uses HTTPS."""
    tls_key: Path | None = None
    """File with the private key of the TLS certificate."""
    cors_origins: tuple[str, ...] = ()
    """Other websites whose pages may send requests to this server, such as https://example.org. Default: none."""
    access_log: bool = False
    """Write one line of JSON for each request."""
    top_k: int = 5
    """Number of classes in an answer, unless the request asks for another number."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            "expected either --bundle or --models": (self.bundle is None) != (self.models is None),
            "settings are for one bundle; expected --bundle": self.settings is None or self.bundle is not None,
            f"port is {self.port}; expected 0 to 65535": 0 <= self.port <= 65535,
            f"grpc_port is {self.grpc_port}; expected 0 to 65535": 0 <= (self.grpc_port or 0) <= 65535,
            f"grpc_port is {self.grpc_port}, the same as port; expected another": not 0 < self.port == self.grpc_port,
            f"threads is {self.threads}; expected 0 or more": self.threads >= 0,
            f"max_batch is {self.max_batch}; expected at least 1": self.max_batch >= 1,
            f"runners is {self.runners}; expected 0 or more": self.runners >= 0,
            f"max_wait_ms is {self.max_wait_ms}; expected at least 1": self.max_wait_ms >= 1,
            f"timeout_ms is {self.timeout_ms}; expected at least 1": self.timeout_ms >= 1,
            f"keep_alive_s is {self.keep_alive_s}; expected at least 1": self.keep_alive_s >= 1,
            f"drain_ms is {self.drain_ms}; expected 0 or more": self.drain_ms >= 0,
            f"max_files is {self.max_files}; expected at least 1": self.max_files >= 1,
            f"max_body_mb is {self.max_body_mb}; expected more than 0": self.max_body_mb > 0,
            f"max_memory_mb is {self.max_memory_mb}; expected at least {4 * self.max_body_mb:g}, 4 x max_body_mb": (
                self.max_memory_bytes >= self.least_memory_bytes
            ),
            "tls_certificate or tls_key is missing; expected both": bool(self.tls_certificate) == bool(self.tls_key),
            f"top_k is {self.top_k}; expected at least 1": self.top_k >= 1,
        }
        expected = "expected an origin such as https://example.org"
        checks |= {f"cors_origins has {it!r}; {expected}": bool(ORIGIN.fullmatch(it)) for it in self.allowed_origins}
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    def tuned(self) -> "ServeConfig":
        """With what the file of settings says, where nothing else is given. Raises `StartError`."""
        if self.settings is None or self.bundle is None:
            return self
        try:
            found = asdict(read_settings(self.settings, self.bundle))
        except (UserError, OSError) as error:
            raise StartError(str(error)) from error
        usual = {entry.name: entry.default for entry in fields(self)}
        return replace(self, **{name: value for name, value in found.items() if getattr(self, name) == usual[name]})

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """The origins as browsers send them, without a slash at the end."""
        return tuple(origin.removesuffix("/") for origin in self.cors_origins)

    @property
    def max_body_bytes(self) -> int:
        """The body limit in bytes."""
        return int(self.max_body_mb * 1_000_000)

    @property
    def max_memory_bytes(self) -> int:
        """The most bytes that all requests take."""
        return int(self.max_memory_mb * 1_000_000)

    @property
    def least_memory_bytes(self) -> int:
        """What one body of the largest size takes: of two fifths of the memory, a quarter is kept for small bodies."""
        return 4 * self.max_body_bytes
