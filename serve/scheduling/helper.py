"""Work in, its result out, done in another process: a parser of JSON lets no thread of ours run until it is done."""

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

Result = TypeVar("Result")
LENGTH_BYTES = 8
START = "import sys; sys.path[:] = {path!r}; from serve.scheduling.helper import work_on; work_on()"


class Helper:
    """A process that does one piece of work after another; it starts with the first, and anew if one was broken off."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do `work`, which can be pickled, as can its result. Raises what it raises."""
        async with self._turn:
            try:
                done, result = await self._ask(pickle.dumps(work))
            except BaseException:
                await self.close()
                raise
        if not done:
            raise result
        return result  # type: ignore[no-any-return]

    async def _ask(self, asked: bytes) -> tuple[bool, Any]:
        if self._process is None:
            # Not of our session, so that Ctrl-C does not end it before us; it ends when its input does.
            command = (sys.executable, "-c", START.format(path=sys.path))
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
        to, back = self._process.stdin, self._process.stdout
        assert to
        assert back
        to.write(len(asked).to_bytes(LENGTH_BYTES) + asked)
        await to.drain()
        size = int.from_bytes(await back.readexactly(LENGTH_BYTES))
        answer: tuple[bool, Any] = pickle.loads(await back.readexactly(size))
        return answer

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process and process.stdin:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.stdin.close()
            await process.wait()


def work_on(source: BinaryIO = sys.stdin.buffer, target: BinaryIO = sys.stdout.buffer) -> None:
    """Do what comes, until nothing more does."""
    while header := source.read(LENGTH_BYTES):
        asked = source.read(int.from_bytes(header))
        done: tuple[bool, Any]
        try:
            done = True, pickle.loads(asked)()
        except Exception as error:  # it is raised where the work was asked for
            done = False, error
        answer = pickle.dumps(done)
        target.write(len(answer).to_bytes(LENGTH_BYTES) + answer)
        target.flush()
