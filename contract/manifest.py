"""The bundle's manifest: what a server needs to know about the model, and the hashes of the bundle's files.

`manifest.json` is written last and atomically, so a folder without it is not a bundle.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.adjustment import Adjustment
from contract.atomic import write_text_atomically
from contract.certificate import Certificate
from contract.errors import UserError
from contract.image import ImageSpec
from contract.labels import ClassLabel
from contract.text import as_json

FORMAT_VERSION = 5
# The entries that each format added to the one before; a manifest of an older format lacks those of the newer ones.
ADDED = {2: {"exported_at"}, 4: {"adjustment", "sources"}, 5: {"certificates"}}
ADDED_TO_IMAGE = {3: {"depth"}, 4: {"contrast"}, 5: {"decoding"}}
MANIFEST_FILE = "manifest.json"
ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
TORCHSCRIPT_FILE = "model.pt"
PT2_FILE = "model.pt2"
COMPILED_FILE = "model.compiled.pt2"
LABELS_FILE = "index_to_name.json"
GOLDEN_LOGITS_FILE = "golden/logits.json"
# A name becomes a folder and a part of a URL, so it must not contain anything that leads out of them (such as "/").
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ManifestError(UserError):
    """A folder that is not a bundle, or not the bundle its manifest describes."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The description of a bundle. `files` maps each file's path in the bundle to its SHA-256."""

    name: str
    version: str
    architecture: str
    classes: tuple[ClassLabel, ...]
    image: ImageSpec
    max_batch: int
    temperature: float
    adjustment: Adjustment  # none before format 4
    files: dict[str, str]
    metrics: dict[str, Any]
    sources: dict[str, str]  # the images that each figure comes from; empty before format 4
    parity: list[dict[str, Any]]
    versions: dict[str, str]
    training: dict[str, Any]
    data_fingerprint: str
    exported_at: datetime | None  # with its time zone; None before format 2
    certificates: tuple[Certificate, ...] = ()  # of fast modes; none before format 5
    format_version: int = field(default=FORMAT_VERSION)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is answered for logits [..., C]: softmax((logits - offsets) / temperature), as in the graph."""
        scaled = (logits - self.adjustment.offsets) / self.temperature
        powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        result: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
        return result

    def write(self, folder: Path) -> None:
        """Write the manifest, which turns `folder` into a bundle."""
        write_text_atomically(folder / MANIFEST_FILE, as_json(asdict(self), default=_plain))

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of the bundle in `folder`. Raises `ManifestError`; `verify_files` checks the rest."""
        path = folder / MANIFEST_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise ManifestError(
                f"{folder} is not a bundle: it has no {MANIFEST_FILE}; export the run first: make export RUN=its-name"
            ) from None
        except OSError as error:
            raise ManifestError(f"{path} can't be read ({error.strerror}); export the bundle again") from error
        except ValueError as error:
            raise ManifestError(f"{path} is not valid JSON ({error}); export the bundle again") from error
        return cls.from_dict(values, path)

    @classmethod
    def from_dict(cls, values: Any, source: Path) -> "Manifest":
        """The manifest in a decoded JSON value; `source` names the file in errors."""
        _check_shape(values, source, {entry.name for entry in fields(cls)})
        exported_at = values.get("exported_at")
        try:
            image = values["image"]
            typed = {
                "classes": tuple(ClassLabel(**entry) for entry in values["classes"]),
                "image": ImageSpec(**{**image, "mean": tuple(image["mean"]), "std": tuple(image["std"])}),
                "adjustment": Adjustment.from_dict(values.get("adjustment")),
                "sources": dict(values.get("sources", {})),
                "certificates": tuple(Certificate.from_dict(entry) for entry in values.get("certificates", ())),
                "exported_at": _time(exported_at) if exported_at is not None else None,
            }
        except (TypeError, KeyError, ValueError) as error:
            raise ManifestError(f"{source} has a malformed entry ({error}); export the bundle again") from error
        return cls(**{**values, **typed})

    def verify_files(self, folder: Path) -> None:
        """Compare every file with its hash, and certificates with the files they are of. Raises `ManifestError`."""
        problems = [
            f"{name} is {'changed' if (folder / name).is_file() else 'missing'}"
            for name, expected in self.files.items()
            if not (folder / name).is_file() or sha256_of(folder / name) != expected
        ]
        if problems:
            raise ManifestError(
                f"{folder} differs from the bundle that was exported: {', '.join(problems)}; export it again"
            )
        self._verify_certificates(folder)

    def read_file(self, folder: Path, name: str) -> bytes:
        """A file of the bundle, which is as it was exported. Raises `ManifestError`."""
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise ManifestError(f"{folder / name} can't be read ({error.strerror}); export the bundle again") from error
        if hashlib.sha256(data).hexdigest() != self.files.get(name):
            raise ManifestError(f"{folder / name} is not the file that was exported; export the bundle again")
        return data

    def _verify_certificates(self, folder: Path) -> None:
        for each in self.certificates:
            if (self.files.get(each.file), self.files.get(ONNX_FILE)) != (each.graph_sha256, each.reference_sha256):
                raise ManifestError(
                    f"{folder} has a certificate for {each.provider} {each.precision} that is of another model; "
                    "export the bundle again"
                )


def _check_shape(values: Any, source: Path, expected: set[str]) -> None:
    if not isinstance(values, Mapping):
        raise ManifestError(f"{source} is not a JSON object; export the bundle again")
    version = values.get("format_version")
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ManifestError(
            f"{source} has format version {version}; expected 1 to {FORMAT_VERSION}: "
            "export the bundle again, or update this program if a newer one exported it"
        )
    _check_entries(set(values), expected - _later(ADDED, version), source)
    if isinstance(values["image"], Mapping) and values["image"]:
        spec = {entry.name for entry in fields(ImageSpec)}
        _check_entries(set(values["image"]), spec - _later(ADDED_TO_IMAGE, version), source)


def _later(added: Mapping[int, set[str]], version: int) -> set[str]:
    """The entries that a manifest of this format can't have yet."""
    return {entry for added_in, entries in added.items() if added_in > version for entry in entries}


def _check_entries(given: set[str], expected: set[str], source: Path) -> None:
    if given != expected:
        wrong = ", ".join(sorted(given ^ expected))
        raise ManifestError(f"{source} has missing or unknown entries: {wrong}; export the bundle again")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a manifest can't hold a {type(value).__name__}")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"exported_at {text} has no time zone")
    return time


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
