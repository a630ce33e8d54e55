"""Requests that are small to send and dear to answer."""

import io
import json
from dataclasses import dataclass

import numpy as np
from PIL import Image

from contract import Manifest

SIDE = 6_320
"""A picture of so many pixels a side has 40 million."""
LARGEST = 18_000_000
MOST_PICTURES = 64
BOUNDARY = "part"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request; its last `lacking` bytes never come."""

    path: str
    kind: str
    body: bytes
    lacking: int = 0
    fields: str = ""
    method: str = "POST"

    @property
    def head(self) -> bytes:
        """All but the body."""
        lines = f"{self.method} {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {self.kind}\r\n{self.fields}"
        return f"{lines}Content-Length: {len(self.body)}\r\n\r\n".encode()


PING = Request(path="/ping", kind="text/plain", body=b"", method="GET")


def bomb(kind: str, path: str = "/predict", **options: object) -> Request:
    """A picture that unfolds to 40 million pixels."""
    mode = "RGBA" if kind == "PNG" else "RGB"
    return Request(path=path, kind="image/x", body=_encode(Image.new(mode, (SIDE, SIDE), "green"), kind, **options))


def unfinished(size: int) -> Request:
    """A body that is all here but for one byte."""
    return Request(path="/predict", kind="image/jpeg", body=bytes(size), lacking=1)


def tensor(manifest: Manifest) -> Request:
    """Pixels as JSON, as many as fit."""
    side = manifest.image.size
    pixels = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    one = json.dumps(pixels.ravel().tolist())[1:-1]
    count = min(MOST_PICTURES, LARGEST // len(one))
    said = f'{{"name":"image","datatype":"UINT8","shape":[{count},{side},{side},3],"data":['
    body = '{"inputs":[' + said + ",".join([one] * count) + "]}]}"
    return Request(path=f"/v2/models/{manifest.name}/infer", kind="application/json", body=body.encode())


def many(picture: bytes, *, maps: bool) -> Request:
    """A form with as many pictures as it may hold, and all their classes wanted, or maps of them too."""
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'.encode()
    body = (part + picture + b"\r\n") * MOST_PICTURES + f"--{BOUNDARY}--\r\n".encode()
    path = f"/predict?top_k=1000&activation_map={str(maps).lower()}"
    return Request(path=path, kind=f"multipart/form-data; boundary={BOUNDARY}", body=body)


def small(manifest: Manifest, fields: str = "") -> Request:
    """What an honest client asks."""
    side = manifest.image.size
    noise = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    return Request(
        path="/predict", kind="image/jpeg", body=_encode(Image.fromarray(noise), "JPEG", quality=80), fields=fields
    )


def _encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
