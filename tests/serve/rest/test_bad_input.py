"""Forms as clients send them, and what is no picture: each has an error of its own, over real HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from tests.pictures import encode
from tests.serve.rest.exchange import GIF, error_of, pictures


def test_predict_takes_the_forms_type_in_any_case(client: httpx.Client, red_jpeg: bytes) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + red_jpeg + b"\r\n--b--\r\n"
    response = client.post("/predict", content=form, headers={"Content-Type": "Multipart/Form-Data; boundary=b"})
    assert response.json()["predictions"][0]["label"] == "red"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (400, "unreadable_image")),
        (b"\xff\xd8\xff\xe0 nothing more", (400, "unreadable_image")),
        (GIF, (415, "unsupported_type")),
        (b"%PDF-1.7", (415, "unsupported_type")),
        (b"leaf=healthy", (415, "unsupported_type")),
        (encode(Image.new("1", (8000, 5001)), "PNG"), (413, "image_too_large")),
        (b"\xff" * 20_000_001, (413, "request_too_large")),
    ],
    ids=["empty", "broken", "gif", "pdf", "form", "pixels", "bytes"],
)
def test_bad_input_gets_its_own_error(client: httpx.Client, content: bytes, expected: tuple[int, str]) -> None:
    assert error_of(client.post("/predict", content=content)) == expected
    assert error_of(client.post("/predictions/tiny", content=content)) == expected
    assert error_of(client.post("/predict", files=pictures(content))) == expected


def test_a_truncated_picture_is_400(client: httpx.Client, red_jpeg: bytes) -> None:
    for length in range(len(red_jpeg) // 20, len(red_jpeg) - 20, len(red_jpeg) // 20):
        assert error_of(client.post("/predict", content=red_jpeg[:length])) == (400, "unreadable_image")


def test_too_many_bytes_are_refused_while_they_come(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(21):
            yield b"\xff" * 1_000_000

    try:
        response = client.post("/predict", content=endless())
    except (httpx.WriteError, httpx.RemoteProtocolError):
        return  # the server hung up on the rest, as it may
    assert error_of(response) == (413, "request_too_large")


def test_a_form_without_a_file_is_422(client: httpx.Client) -> None:
    boundary = {"Content-Type": "multipart/form-data; boundary=b"}
    form = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nleaf.jpg\r\n--b--\r\n'
    assert error_of(client.post("/predict", content=form, headers=boundary)) == (422, "missing_file")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=other"])
def test_a_malformed_form_is_400(client: httpx.Client, content_type: str) -> None:
    response = client.post("/predict", content=b"--b\r\nnonsense", headers={"Content-Type": content_type})
    assert error_of(response)[0] in {400, 422}


DISPOSITION = b'Content-Disposition: form-data; name="file"'
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    "head",
    [
        DISPOSITION + b"\r\nContent-Type: Image/JPEG",
        DISPOSITION + b"\r\nContent-Type: application/octet-stream",  # as Java's Spring sends an array of bytes
        DISPOSITION,
        DISPOSITION
        + b"; filename*=utf-8''%E5%8F%B6.jpg\r\nContent-Type: image/jpeg",  # as Python's requests sends 叶.jpg
        DISPOSITION + b"; filename*=utf-8''%E5%8F%B6.jpg",
        DISPOSITION + b'; filename="leaf.txt"\r\nContent-Type: text/plain',
        DISPOSITION + b'; filename=""',
    ],
)
def test_a_picture_in_a_form_is_one_whatever_its_part_says(client: httpx.Client, red_jpeg: bytes, head: bytes) -> None:
    text = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\nBMW, a text\r\n'
    form = text + b"--b\r\n" + head + b"\r\n\r\n" + red_jpeg + b"\r\n--b--\r\n"
    answer = client.post("/predict", content=form, headers=FORM)
    assert answer.json()["predictions"][0]["label"] == "red"


def test_a_form_without_its_end_is_said_to_be_cut_off(client: httpx.Client, red_jpeg: bytes) -> None:
    form = b"--b\r\n" + DISPOSITION + b'; filename="a.jpg"\r\n\r\n' + red_jpeg
    response = client.post("/predict", content=form, headers=FORM)
    assert error_of(response) == (400, "malformed_form")
    assert "its last boundary is missing" in response.json()["error"]["message"]


@pytest.mark.parametrize("charset", ["undefined", "idna", "zlib", "no-such", "punycode"])
def test_a_charset_that_decodes_nothing_is_no_failure_of_the_server(
    client: httpx.Client, red_jpeg: bytes, charset: str
) -> None:
    form = b"--b\r\n" + DISPOSITION + b'; filename="\xff.jpg"\r\n\r\n' + red_jpeg + b"\r\n--b--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    assert client.post("/predict", content=form, headers=kind).status_code in {200, 400}


def test_too_many_files_are_refused(client: httpx.Client) -> None:
    assert error_of(client.post("/predict", files=pictures(*[b"x"] * 65))) == (400, "malformed_form")


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {"Content-Type": "application/json"}])
def test_other_bodies_are_415(client: httpx.Client, headers: dict[str, str]) -> None:
    assert error_of(client.post("/predict", content=b"{}", headers=headers))[0] == 415
