"""FastAPI's document of the routes in; out with it what is true of every route, though no route says so.

Any of them may fail, be asked too slowly or without its key, and tells its request's id. FastAPI's own form of a
refused parameter, which is not ours, goes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from serve.auth import ADMIN_FOLDER, API_NEEDED, Keys
from serve.rest.openapi.documents import HEADERS, JSON, PARAMETERS, V2, Refusal, error_form, reference
from serve.rest.openapi.examples import Examples
from serve.v2.types import InferRequest

Document = dict[str, Any]
ABOUT = (
    "Classifies images. Every error response says what is wrong; its body is an `ErrorBody`, or a `ProtocolError` for "
    "paths under /v2. For an unknown path the status is 404. For a method that a path does not support it is 405, and "
    "the header Allow lists the supported methods."
)
SCHEMAS = "#/components/schemas/"
FASTAPIS = ("HTTPValidationError", "ValidationError")
EVERYWHERE = {
    "408": Refusal("Slow client", "too_slow", "the request did not arrive within the time limit; send it again"),
    "431": Refusal("The header is too large", "header_too_large", "the header has more than 16384 bytes or 100 fields"),
    "500": Refusal(
        "The server failed", "internal_error", "the server failed on this request; the server's log has the reason"
    ),
}
LOCKED = Refusal("The key is missing or wrong", "unauthorized", API_NEEDED)
# These end before the request gets an id, and the last one after its time has been told.
WITHOUT = {"408": set(HEADERS), "431": set(HEADERS), "500": {"Server-Timing"}}
API, ADMIN = ("ApiKey", "ApiKeyHeader"), ("AdminToken", "AdminTokenHeader")


@dataclass(frozen=True, kw_only=True)
class DocumentContext:
    """What only this server knows: its keys, and a model to ask in examples, if anybody may know of it."""

    keys: Keys
    model: str | None


def complete(document: Document, context: DocumentContext) -> Document:
    """The document with all that. `document` is changed."""
    document["info"]["description"], components = ABOUT, document["components"]
    examples = Examples(components["schemas"])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            _complete_operation(path, operation, context, examples)
    _, requests = models_json_schema([(InferRequest, "validation")], ref_template=SCHEMAS + "{model}")
    components["schemas"] |= requests["$defs"]
    for name in FASTAPIS:
        components["schemas"].pop(name, None)
    components |= {"headers": HEADERS, "parameters": PARAMETERS, "responses": dict(_responses())}
    if schemes := _schemes(context.keys):
        components["securitySchemes"] = schemes
    return document


def _complete_operation(path: str, operation: Document, context: DocumentContext, examples: Examples) -> None:
    responses = operation["responses"]
    if FASTAPIS[0] in str(responses.get("422")):
        del responses["422"]
    for status, response in responses.items():
        response["headers"] = {**response.get("headers", {}), **_headers(status)}
        if "example" not in (content := response["content"].get(JSON, {"example": None})):
            content["example"] = examples.of(content["schema"])
    for status in EVERYWHERE:
        responses[status] = {"$ref": f"#/components/responses/{_name(status, path)}"}
    for parameter in operation.get("parameters", []):
        if example := {"model": context.model, "version": "stable"}.get(parameter.get("name")):
            parameter["example"] = example
    if schemes := _schemes_of(path, context.keys):
        operation["security"] = [{scheme: []} for scheme in schemes]
        responses["401"] = {"$ref": f"#/components/responses/{_name('401', path)}"}


def _name(status: str, path: str) -> str:
    return f"{'Protocol' if path.startswith(V2) else 'Error'}{status}"


def _headers(status: str) -> Document:
    told = {"Server-Timing", "X-Request-Id"} - WITHOUT.get(status, set())
    return {name: entry for header in sorted(told) for name, entry in reference("headers", header).items()}


def _responses() -> Iterable[tuple[str, Document]]:
    """Those that many routes have, in both error forms."""
    for path in ("/", V2):
        for status, refusal in {**EVERYWHERE, "401": LOCKED}.items():
            described = refusal.describe(path)
            described["content"][JSON]["schema"] = {"$ref": f"{SCHEMAS}{error_form(path).__name__}"}
            del described["model"]
            asked = reference("headers", "WWW-Authenticate") if status == "401" else {}
            yield _name(status, path), {**described, "headers": {**asked, **_headers(status)}}


def _schemes_of(path: str, keys: Keys) -> tuple[str, ...]:
    """How a route wants to be asked: in one of these ways, or as one likes."""
    if keys.refusal(path, {}) is None:
        return ()
    return ADMIN if keys.admin and path.startswith(ADMIN_FOLDER) else API


def _schemes(keys: Keys) -> Document:
    schemes = {}
    for (bearer, header), key, what in ((API, keys.api, "API key"), (ADMIN, keys.admin, "admin token")):
        if key:
            schemes[bearer] = {"type": "http", "scheme": "bearer", "description": f"The {what}"}
            schemes[header] = {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": f"The {what}"}
    return schemes
