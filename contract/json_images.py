"""Image files in JSON, as base64: the forms that callers of TorchServe, KServe and TensorFlow Serving send."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from contract.request_error import RequestError

MAX_PICTURES = 64
JSON_PARTS = ("b64", "data", "body", "image_bytes", "image")


def images_in(values: Any, name: str, most: int = MAX_PICTURES) -> tuple[bytes, ...]:
    """The image files of the list `name`. Raises `RequestError`."""
    if not isinstance(values, list) or not values:
        raise RequestError(422, "missing_file", f"{name} has no images; expected a list of base64 strings")
    if len(values) > most:
        message = f"{name} has {len(values)} images; expected at most {most}: send several requests"
        raise RequestError(422, "too_many_files", message)
    return tuple(image_in(value) for value in values)


def image_in(value: Any) -> bytes:
    """An image file's bytes: raw, or in base64 as a string or a member of a JSON object. Raises `RequestError`."""
    if isinstance(value, Mapping):
        value = next((value[name] for name in JSON_PARTS if name in value), None)
        value = value.get("b64") if isinstance(value, Mapping) else value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, str):
        return decode_base64(value)
    message = 'no image in the JSON; expected a base64 string, for example {"b64": "/9j/4AAQ…"}'
    raise RequestError(422, "missing_file", message)


def decode_base64(text: str) -> bytes:
    """The bytes that a text stands for; it may be broken into lines, or a data URL. Raises `RequestError`."""
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        message = "the text is not valid base64; expected an image file in base64"
        raise RequestError(400, "malformed_base64", message) from None
