"""Exports the deployable module as `model.onnx` (one file, any batch size)."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import torch
from torch import Tensor
from torch.export import Dim

from contract.graph import INPUT_NAME, OUTPUT_NAMES
from export.graphs.deployable import Deployable

OPSET = 18


def write_onnx(module: Deployable, example: Tensor, max_batch: int, about: Mapping[str, str], path: Path) -> None:
    """Export `module`; `about` goes into the file's metadata, for who has the file alone.

    `example` is uint8 [N >= 2, H, W, 3]; a batch of 1 would become constant (pytorch #157621).
    """
    with _quiet():
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes={"images_nhwc": {0: Dim("batch", min=1, max=max(2, max_batch))}},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(about)
    program.save(path, external_data=False)
    onnx.checker.check_model(path, full_check=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the exporter prints: its progress and warnings about its internals don't help users."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
