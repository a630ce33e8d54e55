"""An fp32 graph and its int8 graph in, the layers that lose most by int8 out."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization.qdq_loss_debug import (
    collect_activations,
    compute_activation_error,
    create_activation_matching,
    modify_model_output_intermediate_tensors,
)

from contract.graph import INPUT_NAME

# Of the convolutions, so many are kept in float; each costs speed.
SHARE = 0.1
# All that flows between the layers is kept in memory for each image.
IMAGES = 2


def sensitive_layers(prepared: Path, int8: Path, pixels: NDArray[np.uint8]) -> list[str]:
    """The names of the convolutions whose outputs have most noise once quantised, the noisiest first.

    `prepared` is the fp32 graph that was quantised; `pixels` uint8 [N, size, size, 3], of which a few are run.
    """
    with TemporaryDirectory(prefix=".sensitivity-", dir=int8.parent) as folder:
        paths = {graph: Path(folder) / graph.name for graph in (prepared, int8)}
        for graph, path in paths.items():
            modify_model_output_intermediate_tensors(str(graph), str(path))
        as_float, quantised = (collect_activations(str(path), _each(pixels)) for path in paths.values())
    errors = compute_activation_error(create_activation_matching(quantised, as_float))
    convolutions = _convolutions(prepared)
    ratios = {convolutions[name]: error["qdq_err"] for name, error in errors.items() if name in convolutions}
    count = max(1, round(SHARE * len(set(convolutions.values()))))
    return sorted(ratios, key=lambda node: float(ratios[node]))[:count]  # signal to noise, in dB


def _each(pixels: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.uint8]]]:
    return ({INPUT_NAME: image[None]} for image in pixels[:IMAGES])


def _convolutions(graph: Path) -> dict[str, str]:
    """The convolution, by its name, behind each tensor that is its output or that of the Relu after it."""
    nodes = onnx.load(graph).graph.node
    found = {node.output[0]: node.name for node in nodes if node.op_type == "Conv"}
    after = {
        node.output[0]: found[node.input[0]] for node in nodes if node.op_type == "Relu" and node.input[0] in found
    }
    return found | after
