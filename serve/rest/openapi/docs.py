"""The document of every route, and the page that shows it from this server's own files: it must work offline."""

from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from serve.rest.openapi.completion import DocumentContext, complete
from serve.rest.ui.static import FilesInMemory


def add_docs(app: FastAPI, context: DocumentContext) -> None:
    """`/docs`, and what it loads."""
    app.mount("/swagger", FilesInMemory(directory=str(files("fastapi_swagger") / "resources")))

    @cache
    def document() -> dict[str, Any]:
        return complete(app.openapi(), context)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(document())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="swagger/swagger-ui-bundle.js",
            swagger_css_url="swagger/swagger-ui.css",
            swagger_favicon_url="swagger/favicon-32x32.png",
        )
