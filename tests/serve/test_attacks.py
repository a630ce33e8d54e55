"""What people with bad intentions send: each is answered at once with a documented refusal, and leaves no trace.

The numbers are those of the list of attacks that the server must withstand: 1 decompression bombs, 4 other formats,
5 polyglots, 6 metadata, 7 animations, 10 odd sizes, 11 multipart, 12 sizes, 15 JSON, 16 compression, 18 names,
24 header injection, 25 metrics, 26 leakage.
"""

import gzip
import io
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.commands import RunningServer
from tests.effort import times
from tests.pictures import TINTS, draw, encode

PICTURE = draw((64, 48), TINTS["red"], seed=3)
JPEG, PNG = encode(PICTURE), encode(PICTURE, "PNG")
MEMORY = 16 * 1024 * 1024
SECONDS = 2.0
"""An attack may take so long; on a busy machine it takes longer than the 50 ms that a quiet one allows."""


@dataclass(frozen=True)
class Attack:
    """A request and the statuses that it may end in."""

    content: bytes
    expected: tuple[int, ...]
    path: str = "/predict"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(*chunks: bytes) -> bytes:
    """A PNG with more chunks after its header."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large."""
    return PNG[:8] + chunk(b"IHDR", struct.pack(">II", width, height) + PNG[24:29]) + PNG[33:]


def jpeg_of(width: int, height: int, progressive: bool = False) -> bytes:
    data = encode(PICTURE, progressive=progressive)
    place = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def webp_of(width: int, height: int) -> bytes:
    """An extended WebP, whose canvas is said in 24 bits each, less one."""
    data = encode(PICTURE, "WEBP", exif=Image.Exif().tobytes())
    place = data.index(b"VP8X") + 12
    return data[:place] + b"".join((side - 1).to_bytes(3, "little") for side in (width, height)) + data[place + 6 :]


def animation(frames: int, kind: str) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("RGB", (32, 32), (number % 256, 0, 0)) for number in range(frames)]
    pictures[0].save(file, kind, save_all=True, append_images=pictures[1:])
    return file.getvalue()


def other_formats() -> Iterator[tuple[str, bytes]]:
    for kind in ("GIF", "TIFF", "ICO", "PPM", "EPS", "TGA", "PCX", "SGI", "DDS", "JPEG2000", "PDF"):
        yield kind, encode(PICTURE, kind)


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    lines = [b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]
    return b"".join([*lines, b"--" + boundary + b"--\r\n"])


EXIF_BLOCK = b"\xff\xe1\xff\xff" + b"Exif\0\0" + b"\0" * 65_527
FILE = b'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
REFUSED = (400, 413, 415, 422)

ATTACKS: dict[str, Attack] = {
    "1 png bomb": Attack(png_of(16_000, 16_000), (413,)),
    "1 one-bit bomb": Attack(encode(Image.new("1", (16_384, 16_384)), "PNG"), (413,)),
    "1 webp bomb": Attack(webp_of(12_000, 12_000), (400, 413)),
    "1 jpeg bomb": Attack(jpeg_of(13_000, 13_000), (413,)),
    "1 progressive bomb": Attack(jpeg_of(13_000, 13_000, progressive=True), (413,)),
    "1 bmp that lies": Attack(encode(PICTURE, "BMP")[:18] + struct.pack("<ii", 10**6, 10**6), (400, 413)),
    **{f"4 {kind} named jpg": Attack(data, (400, 415)) for kind, data in other_formats()},
    "5 jpeg and zip": Attack(JPEG + b"PK\x03\x04" + b"x" * 1000, (200,)),
    "5 jpeg and page": Attack(JPEG + b"<script>alert(1)</script>", (200,)),
    "6 text bomb": Attack(png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 50_000_000))), (200, 400)),
    "6 profile bomb": Attack(png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 50_000_000))), (200, 400)),
    "6 many chunks": Attack(png_with(*[chunk(b"tEXt", b"a\0b")] * 200_000), (400,)),
    "6 many exif blocks": Attack(JPEG[:2] + EXIF_BLOCK * 200 + JPEG[2:], (200, 400)),
    "7 animated webp": Attack(animation(300, "WEBP"), (200,)),
    "7 animated png": Attack(animation(300, "PNG"), (200,)),
    "10 one pixel": Attack(encode(Image.new("RGB", (1, 1)), "PNG"), (200,)),
    "10 a strip": Attack(encode(Image.new("RGB", (1, 16384)), "PNG"), (200,)),
    "10 nothing wide": Attack(png_of(0, 5), (400,)),
    "11 hundred thousand parts": Attack(form(*[b"\r\n"] * 100_000), REFUSED, headers=MULTIPART),
    "11 hundred files": Attack(form(*[FILE + JPEG] * 100), (400,), headers=MULTIPART),
    "11 long boundary": Attack(b"x", REFUSED, headers={"Content-Type": "multipart/form-data; boundary=" + "b" * 5000}),
    "11 no end": Attack(b"--b\r\n" + FILE + JPEG, REFUSED, headers=MULTIPART),
    "11 endless part header": Attack(b"--b\r\nX: " + b"y" * 1_000_000, REFUSED, headers=MULTIPART),
    "11 many part headers": Attack(form(b"X: y\r\n" * 10_000 + b"\r\nz"), REFUSED, headers=MULTIPART),
    "11 name with a path": Attack(form(FILE.replace(b"a.jpg", b"../../etc/passwd") + JPEG), (200,), headers=MULTIPART),
    "11 preamble": Attack(b"\r\n" * 1_000_000 + form(FILE + JPEG), (200, *REFUSED), headers=MULTIPART),
    "12 one byte too many": Attack(JPEG.ljust(20_000_001, b"\0"), (413,)),
    "12 just enough": Attack(JPEG.ljust(20_000_000, b"\0"), (200,)),
    "15 deep json": Attack(b"[" * 100_000, (400,), path="/v2/models/tiny/infer"),
    "15 many lists": Attack(b'{"inputs":[' + b"[]," * 100_000 + b"[]]}", (400,), path="/v2/models/tiny/infer"),
    "15 many keys": Attack(
        b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}", (400,), path="/v2/models/tiny/infer"
    ),
    "15 huge number": Attack(b'{"inputs":' + b"9" * 100_000 + b"}", (400,), path="/v2/models/tiny/infer"),
    "16 gzip": Attack(gzip.compress(b"\0" * 10_000_000), (415,), headers={"Content-Encoding": "gzip"}),
    "16 twice": Attack(b"x", (415,), headers={"Content-Encoding": "gzip, gzip"}),
    "18 up": Attack(JPEG, (404,), path="/predictions/..%2f..%2fetc%2fpasswd"),
    "18 nul": Attack(JPEG, (404,), path="/predictions/tiny%00"),
    "18 unicode dots": Attack(JPEG, (404,), path="/v2/models/%e2%80%a5/infer"),
    "18 version": Attack(JPEG, (404,), path="/v2/models/tiny/versions/..%2f1/infer"),
    "18 long name": Attack(JPEG, (404,), path="/predictions/" + "x" * 5000),
    "18 static": Attack(b"", (404, 405), path="/page/..%2f..%2fconfig.py", method="GET"),
    "18 static absolute": Attack(b"", (404, 405), path="/page//etc/passwd", method="GET"),
    "24 id": Attack(JPEG, (200,), headers={"X-Request-Id": "a\tb: c"}),
    "24 agent": Attack(JPEG, (200,), headers={"User-Agent": "x" * 10_000}),
}  # fmt: skip

LEAKS = re.compile(r"Traceback|site-packages|\.py\b|0x[0-9a-f]{6}|/root|/home|/tmp|uvicorn|starlette", re.IGNORECASE)


@pytest.fixture(scope="module")
def victim(bundle: Path) -> Iterator[RunningServer]:
    running = RunningServer(bundle, "--drain-ms", "0")
    for _ in range(20):  # what is allocated once is allocated
        httpx.post(f"{running.url}/predict", content=JPEG.ljust(19_000_000, b"\0"), timeout=60)
    yield running
    assert running.stop() == (0, ""), "no attack leaves a stack trace"


@pytest.fixture(scope="module")
def asking(victim: RunningServer) -> Iterator[httpx.Client]:
    """For hundreds of thousands of requests, each of which must be answered within a while."""
    with httpx.Client(base_url=victim.url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_and_leaves_no_trace(victim: RunningServer, name: str) -> None:
    attack, process = ATTACKS[name], psutil.Process(victim.process.pid)
    with httpx.Client(base_url=victim.url, timeout=30) as client:
        before, memory = client.post("/predict", content=JPEG).json(), process.memory_full_info().uss
        answer = client.request(attack.method, attack.path, content=attack.content, headers=attack.headers)
        assert answer.status_code in attack.expected, answer.text[:200]
        assert answer.elapsed.total_seconds() < SECONDS
        assert not LEAKS.search(answer.text)
        assert not LEAKS.search(str(answer.headers))
        assert client.get("/ping").status_code == 200
        assert client.post("/predict", content=JPEG).json() == before
        while process.memory_full_info().uss - memory > MEMORY:  # pytest-timeout ends a server that keeps it
            client.post("/predict", content=JPEG)


def test_metrics_do_not_grow_with_what_strangers_ask(victim: RunningServer) -> None:
    def series() -> int:
        return len(client.get("/metrics").text.splitlines())

    with httpx.Client(base_url=victim.url) as client:
        ask = ["/{0}", "/predictions/{0}", "/v2/models/{0}", "/page/{0}"]
        for path in ask:
            client.request("POST", path.format("first"), content=b"")
            client.get(path.format("first"))
        before = series()
        for number in range(50):
            for path in ask:
                client.get(path.format(number))
                client.request("PROPFIND", path.format(number))
        client.request("PROPFIND", "/predict")
        assert series() - before <= 8, "a refused method on a known route is a series of its own, once"


MUTANTS = [JPEG, PNG, encode(PICTURE, "WEBP"), encode(PICTURE, "BMP"), encode(PICTURE.convert("P"), "PNG")]


@st.composite
def mutants(draw_from: st.DrawFn) -> bytes:
    """A real picture with bytes changed, left out or put in."""
    data = bytearray(draw_from(st.sampled_from(MUTANTS)))
    for _ in range(draw_from(st.integers(1, 8))):
        place = draw_from(st.integers(0, len(data) - 1))
        match draw_from(st.integers(0, 3)):
            case 0:
                data[place] ^= 1 << draw_from(st.integers(0, 7))
            case 1:
                data[place : place + 4] = draw_from(st.sampled_from([b"\0\0\0\0", b"\xff" * 4, b"\x7f\xff\xff\xff"]))
            case 2:
                del data[place : place + draw_from(st.integers(1, 64))]
            case _:
                data[place:place] = draw_from(st.binary(max_size=32))
        data = data or bytearray(b"\0")
    return bytes(data)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=times(300, 60_000), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=mutants(), as_form=st.booleans())
def test_a_mutated_picture_is_answered_or_refused(asking: httpx.Client, data: bytes, as_form: bool) -> None:
    body, headers = (form(FILE + data), MULTIPART) if as_form else (data, {})
    answer = asking.post("/predict", content=body, headers=headers)
    assert answer.status_code in {200, 400, 413, 415, 422}
    assert not LEAKS.search(answer.text)


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.timeout(3600)
@settings(max_examples=times(200, 40_000), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.binary(max_size=300) | st.text(max_size=300).map(str.encode),
    boundary=st.text("ab-;=", min_size=1, max_size=80),
    length=st.integers(-5, 400) | st.text("0123456789x-+", max_size=12),
)
def test_rubbish_is_refused_on_every_route(asking: httpx.Client, body: bytes, boundary: str, length: int | str) -> None:
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Inference-Header-Content-Length": f"{length}",
    }
    for path in ("/predict", "/annotate", "/predictions/tiny", "/v2/models/tiny/infer"):
        answer = asking.post(path, content=body, headers=headers)
        assert 400 <= answer.status_code < 500
        assert not LEAKS.search(answer.text.replace(f"'{length}'", ""))  # which the client has sent itself
