"""A folder of files in, answers from memory out: a crowd that asks for them must not keep the disk and threads busy."""

import os
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PIECE_BYTES = 1 << 16


class FilesInMemory(StaticFiles):
    """Starlette's, but each file is read once; meant for a few that do not change."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or that it is as the client knows it."""
        found = super().file_response(full_path, stat_result, scope, status_code)
        if not isinstance(found, FileResponse):
            return found
        answer = StreamingResponse(_pieces(_read(Path(full_path))), found.status_code, media_type=found.media_type)
        answer.headers.update({name: found.headers[name] for name in ("content-length", "etag", "last-modified")})
        return answer


@cache
def _read(path: Path) -> memoryview:
    return memoryview(path.read_bytes())


async def _pieces(content: memoryview) -> AsyncIterator[memoryview]:
    """Piece by piece, as over TLS all that is sent at once would be copied for each client who does not read."""
    for begin in range(0, len(content), PIECE_BYTES):
        yield content[begin : begin + PIECE_BYTES]
