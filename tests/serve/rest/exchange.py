"""What a form holds, and what an error says."""

import io
import re

import httpx
from PIL import Image

from tests.pictures import encode

GIF = encode(Image.new("P", (8, 8)), "GIF")


def error_of(response: httpx.Response) -> tuple[int, str]:
    """The status and the code, once the body has the form of every error."""
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert not re.search(r"Traceback|0x|/site-packages|\.py", body["error"]["message"])
    return response.status_code, body["error"]["code"]


def pictures(*contents: bytes) -> list[tuple[str, tuple[str, io.BytesIO, str]]]:
    """Files of a form."""
    return [("file", (f"{number}.jpg", io.BytesIO(data), "image/jpeg")) for number, data in enumerate(contents)]
