"""The options of `python -m handlers.launcher`, and the TorchServe properties that follow from them."""

from dataclasses import dataclass
from pathlib import Path

from contract import UsageError
from contract.manifest import NAME_PATTERN

SETTINGS = Path(__file__).parent.parent / "config.properties"
PORT = 8080
ADDRESSES = ("inference_address", "management_address", "metrics_address")
GRPC_PORTS = ("grpc_inference_port", "grpc_management_port")
GRPC_DEFAULTS = [7070, 7071]
MANAGEMENT = {
    "enable_model_api": "true",
    "disable_token_authorization": "false",
    # A year instead of an hour, so that keys don't expire while a server runs. Every start makes new keys.
    "token_expiration_min": "525600",
}


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start TorchServe with one archive and wait until its model is ready."""

    name: str
    """Name of the archive, without .mar."""
    store: Path = Path("model_archive")
    """Folder that contains the archive."""
    port: int = PORT
    """Port for requests. The next four are for management, metrics and gRPC (by default gRPC has 7070 and 7071)."""
    management: bool = False
    """Allow models to be registered and removed while the server runs, and require a key from every client."""
    timeout: float = 300
    """Seconds to wait until the model is ready."""

    def __post_init__(self) -> None:
        """Check all options. Raises one `UsageError` that lists every problem."""
        checks = {
            f"name is {self.name!r}; expected up to 64 of letters, digits, . _ -": bool(
                NAME_PATTERN.fullmatch(self.name)
            ),
            f"port is {self.port}; expected 1 to 65531": 1 <= self.port <= 65531,
            f"timeout is {self.timeout}; expected more than 0 seconds": self.timeout > 0,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def archive(self) -> Path:
        """Path of the archive."""
        return self.store / f"{self.name}.mar"

    @property
    def ports(self) -> list[int]:
        """The five ports that TorchServe listens on."""
        grpc = [self.port + 3, self.port + 4] if self.port != PORT else GRPC_DEFAULTS
        return [self.port, self.port + 1, self.port + 2, *grpc]

    @property
    def properties(self) -> dict[str, str]:
        """The properties that differ from `SETTINGS`."""
        changes: dict[str, str] = {}
        if self.port != PORT:
            changes |= {name: f"http://127.0.0.1:{port}" for name, port in zip(ADDRESSES, self.ports, strict=False)}
            changes |= {name: str(port) for name, port in zip(GRPC_PORTS, self.ports[3:], strict=True)}
        return changes | (MANAGEMENT if self.management else {})


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop TorchServe and wait until all its processes have ended."""


def write_settings(config: Start, folder: Path) -> Path:
    """Path of `SETTINGS`, or of a copy in `folder` with the changes of `config` appended.

    If a property occurs twice, Java uses the last one.
    """
    if not config.properties:
        return SETTINGS
    path = folder / SETTINGS.name
    changes = "".join(f"{key}={value}\n" for key, value in config.properties.items())
    path.write_text(SETTINGS.read_text(encoding="utf-8") + changes, encoding="utf-8")
    return path
