"""What schemathesis can't make up by itself: real pictures, in the places where the server takes nothing else."""

import json
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st

from serve.rest.openapi.v2 import FILES
from tests.pictures import TINTS, draw, encode

PICTURES = {
    kind: st.sampled_from([encode(draw((64, 48), tint, seed=seed), kind) for seed, tint in enumerate(TINTS.values())])
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "AVIF")
}

for kind, pictures in PICTURES.items():
    schemathesis.openapi.media_type(f"image/{kind.lower()}", pictures)
HEIC = Path(__file__).parents[3] / "contract" / "image" / "heic"
schemathesis.openapi.media_type("image/heic", st.sampled_from([path.read_bytes() for path in HEIC.glob("*.heif")]))
schemathesis.openapi.media_type("application/octet-stream", st.just(json.dumps(FILES).encode()))


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], **__: object) -> None:
    """Let requests reach a model.

    Where several are served one must be named, which the document of a server of any number can't say; and of what is
    sent to infer, most would be 404 before its body is looked at.
    """
    if case.path in ("/predict", "/annotate"):
        case.query = {"model": "leaf", **(case.query or {})}
    if case.path.endswith("/infer"):
        case.path_parameters = {name: {"model": "leaf", "version": "stable"}[name] for name in case.path_parameters}
