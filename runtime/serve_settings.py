"""`serve.toml`: how a bundle is run best on one machine, as `make tune` found it and `make serve` takes it."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from contract import UserError
from contract.atomic import write_text_atomically
from contract.manifest import MANIFEST_FILE, sha256_of
from runtime.machine import cores, processor
from runtime.modes import WantedPrecision, WantedProvider

HEAD = "# Written by make tune for one bundle on one machine; make serve SETTINGS=this-file takes it.\n"


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The mode, how many batches run at once, the threads of each, and the largest batch."""

    provider: WantedProvider
    precision: WantedPrecision
    runners: int
    threads: int
    max_batch: int


def write_settings(settings: ServeSettings, bundle: Path, path: Path) -> None:
    """Write them down, with the machine and the bundle that they are for. Raises `OSError`."""
    lines = [f"{name} = {_toml(value)}" for name, value in asdict(settings).items()]
    made_for = [f"{name} = {_toml(value)}" for name, value in _made_for(bundle).items()]
    write_text_atomically(path, HEAD + "\n".join([*lines, "", "[made_for]", *made_for]) + "\n")


def read_settings(path: Path, bundle: Path) -> ServeSettings:
    """What was written for this bundle on this machine. Raises `UserError`."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read ({error}); write it anew with make tune") from error
    made_for = values.pop("made_for", None)
    _check_made_for(path, made_for, _made_for(bundle))
    known = {entry.name: entry.type for entry in fields(ServeSettings)}
    if wrong := sorted(known.keys() ^ values.keys()):
        raise UserError(f"{path} has missing or unknown entries: {', '.join(wrong)}; write it anew with make tune")
    numbers = [name for name in ("runners", "threads", "max_batch") if not _is_count(values[name])]
    if numbers:
        raise UserError(
            f"{path}: {', '.join(numbers)} must be 1 or more, without a fraction; write it anew with make tune"
        )
    return ServeSettings(**values)


def _check_made_for(path: Path, then: Any, now: dict[str, str | int]) -> None:
    then = then if isinstance(then, dict) else {}
    changed = [f"{name} was {then.get(name)}, here {value}" for name, value in now.items() if then.get(name) != value]
    if changed:
        raise UserError(
            f"{path} was made for something else ({'; '.join(changed)}); write it anew with make tune, or leave it out"
        )


def _made_for(bundle: Path) -> dict[str, str | int]:
    return {"processor": processor(), "cores": cores(), "manifest_sha256": sha256_of(bundle / MANIFEST_FILE)}


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _toml(value: str | int) -> str:
    """A number, or a basic string; names of processors hold no control characters."""
    return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
