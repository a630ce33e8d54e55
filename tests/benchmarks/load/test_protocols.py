"""What is sent for a picture, and how the answers are read."""

import base64
import json
import struct

from benchmarks.load.protocols import PROTOCOLS, is_right

PICTURE = b"\xff\xd8 a picture"


def test_v2_says_in_json_what_a_picture_is() -> None:
    sent = json.loads(PROTOCOLS["v2"].write(PICTURE).content)["inputs"][0]
    assert (sent["datatype"], sent["shape"]) == ("BYTES", [1])
    assert base64.b64decode(sent["data"][0]) == PICTURE


def test_v2_binary_puts_the_picture_after_the_json() -> None:
    content, headers = PROTOCOLS["v2-binary"].write(PICTURE)
    length = int(headers["Inference-Header-Content-Length"])
    assert json.loads(content[:length])["inputs"][0]["parameters"]["binary_data_size"] == len(content) - length
    assert content[length:] == struct.pack("<I", len(PICTURE)) + PICTURE


def test_both_forms_of_v2_answers_are_read() -> None:
    known = {"rust: common": 0.9, "grün": 0.1}
    texts = ["0.900000:1:rust: common", "0.100000:0:grün"]
    flat = json.dumps({"outputs": [{"name": "probabilities", "data": texts}]}).encode()
    packed = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    binary = json.dumps({"outputs": [{"name": "probabilities"}]}).encode() + packed
    assert is_right(PROTOCOLS["v2"], flat, known)
    assert is_right(PROTOCOLS["v2-binary"], binary, known)
    assert not is_right(PROTOCOLS["v2-binary"], binary[:-3], known)
    assert not is_right(PROTOCOLS["v2"], b'{"error": "overloaded"}', known)
