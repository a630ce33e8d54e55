"""Bytes in, what was read from them out, in another process: a parser of JSON lets no thread of ours run meanwhile.

Between the processes go a line of JSON and bytes, and nothing that could run.
"""

import asyncio
import contextlib
import importlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from contract.request_error import RequestError

Answer = tuple[dict[str, Any], Sequence[bytes]]
"""What can be said in JSON, and blocks of bytes."""
Task = Callable[..., Answer]
"""A function of a module: bytes, and arguments that can be said in JSON. It may raise `RequestError`."""
LONGEST_LINE = 1 << 30
START = "import sys; sys.path[:] = {path!r}; from serve.scheduling.helper import work_on; work_on()"


class Helper:
    """A process that does one task after another; it starts with the first, and anew if one was broken off."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def run(self, task: Task, body: bytes, **arguments: Any) -> Answer:
        """What `task` says of `body`. Raises its `RequestError`."""
        name = {"module": task.__module__, "function": task.__qualname__, "arguments": arguments}
        async with self._turn:
            try:
                said, blocks = await self._ask(name, body)
            except BaseException:
                await self.close()
                raise
        if "refused" in said:
            raise RequestError(*said["refused"])
        return said["said"], blocks

    async def _ask(self, name: dict[str, Any], body: bytes) -> tuple[dict[str, Any], list[bytes]]:
        if self._process is None:
            # Not of our session, so that Ctrl-C does not end it before us; it ends when its input does.
            command = (sys.executable, "-c", START.format(path=sys.path))
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE, start_new_session=True
            )
        to, back = self._process.stdin, self._process.stdout
        assert to
        assert back
        to.write(json.dumps({**name, "size": len(body)}).encode() + b"\n")
        to.write(body)
        await to.drain()
        said = json.loads(await back.readuntil(b"\n"))
        return said, [await back.readexactly(size) for size in said["sizes"]]

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process and process.stdin:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.stdin.close()
            await process.wait()


def work_on(source: BinaryIO = sys.stdin.buffer, target: BinaryIO = sys.stdout.buffer) -> None:
    """Do what comes, until nothing more does. A task that fails ends the process, with its stack on stderr."""
    for line in source:
        asked = json.loads(line)
        task: Task = getattr(importlib.import_module(asked["module"]), asked["function"])
        blocks: Sequence[bytes] = ()
        try:
            said, blocks = task(source.read(asked["size"]), **asked["arguments"])
            told = {"said": said, "sizes": [len(block) for block in blocks]}
        except RequestError as error:
            told = {"refused": [error.status, error.code, error.message, error.headers], "sizes": []}
        target.write(json.dumps(told).encode() + b"\n" + b"".join(blocks))
        target.flush()
