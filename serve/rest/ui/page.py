"""The page to try it in a browser: three files of this server's own, which ask for nothing from any other host."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse

from serve.rest.ui.static import FilesInMemory

FOLDER = Path(__file__).parent / "files"
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def add_page(app: FastAPI) -> None:
    """`/`, and what it loads."""
    router, content = APIRouter(include_in_schema=False), (FOLDER / "index.html").read_bytes()
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}

    @router.get("/")
    async def page() -> Response:
        return HTMLResponse(content, headers=headers)

    app.include_router(router)
    app.mount("/page", FilesInMemory(directory=FOLDER))
