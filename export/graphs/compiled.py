"""Compiles `model.pt2` with AOTInductor, torch's compiler, into `model.compiled.pt2` for this kind of processor."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor


class NotCompiledError(Exception):
    """There is no C++ compiler here, or it can't do it."""


def compile_program(program: Path, path: Path) -> None:
    """Compile the `torch.export` file `program` into `path`. Raises `NotCompiledError`."""
    # Imported here: it takes a second, which the other exports need not wait for.
    from torch._inductor import aoti_compile_and_package, exc, utils

    try:
        # What is written on the way is as large as the weights, and of no use afterwards.
        with TemporaryDirectory() as folder, utils.fresh_cache(dir=folder, delete=False):
            aoti_compile_and_package(torch.export.load(program), package_path=str(path))
    except (exc.InductorError, exc.InvalidCxxCompiler, exc.CppCompileError) as error:
        cause = getattr(error, "inner_exception", error)
        if isinstance(cause, exc.InvalidCxxCompiler):
            raise NotCompiledError("no C++ compiler was found; install g++") from error
        if isinstance(cause, exc.CppCompileError):
            raise NotCompiledError(f"the C++ compiler failed ({_first_error(cause.output)})") from error
        raise


def _first_error(output: str) -> str:
    """The line of a compiler's output that says what is wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), " ".join(lines[-1:]))


def load_compiled(path: Path) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """The compiled module in `path`; it runs on processors like the one that it was compiled on."""
    from torch._inductor import aoti_load_package

    compiled: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] = aoti_load_package(str(path))
    return compiled
