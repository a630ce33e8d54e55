"""What to start, and the properties that TorchServe gets for it."""

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
    # A year instead of an hour: every start makes new keys, and no client has to follow them while a server runs.
    "token_expiration_min": "525600",
}


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start TorchServe with one archive and wait until its model answers."""

    name: str
    """The archive's name."""
    store: Path = Path("model_archive")
    """The folder that holds it."""
    port: int = PORT
    """Port for requests; management, metrics and the two of gRPC take the next four."""
    management: bool = False
    """Let models be registered and removed while it runs, and ask every caller for its key."""
    timeout: float = 300
    """Seconds that the model may take to load."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"name is {self.name!r}; expected an archive's name": bool(NAME_PATTERN.fullmatch(self.name)),
            f"port is {self.port}; expected 1 to 65531": 1 <= self.port <= 65531,
            f"timeout is {self.timeout}; expected above 0": self.timeout > 0,
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def archive(self) -> Path:
        """The archive's file."""
        return self.store / f"{self.name}.mar"

    @property
    def ports(self) -> list[int]:
        """The five ports that TorchServe takes."""
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
    """Stop TorchServe and wait until it is gone."""


def write_settings(config: Start, folder: Path) -> Path:
    """`SETTINGS`, or a copy of it in `folder` with what `config` changes: of two with one name, Java takes the last."""
    if not config.properties:
        return SETTINGS
    path = folder / SETTINGS.name
    changes = "".join(f"{key}={value}\n" for key, value in config.properties.items())
    path.write_text(SETTINGS.read_text(encoding="utf-8") + changes, encoding="utf-8")
    return path
