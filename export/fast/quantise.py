"""An fp32 graph and training images in, an int8 graph out: static, QDQ, weights per channel.

Method and type of the activations are chosen by what they give here, on training images that were not calibrated on.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from contract.graph import INPUT_NAME
from contract.manifest import INT8_FILE
from runtime import Mode, Session

# What the head computes from the feature map is next to nothing, and rounding it to 256 levels would show in answers.
QUANTISED = ["Conv", "Add", "Relu", "MaxPool"]
HEAD = "activation_map"
# U8S8 runs fastest on x86, S8S8 elsewhere; another type than the first must be so much faster.
TYPES = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
FASTER = 1.05
# The range of each tensor: the widest that was seen, or the mean over batches, which cuts outliers off.
METHODS = {"largest range": {}, "mean range": {"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.1}}
BATCH = 8

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """How an int8 graph was made: what was chosen, and the mean difference of a probability that it showed."""

    activations: str
    method: str
    drift: float
    in_float: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """One line for the user."""
        kept = f", {len(self.in_float)} layers in float" if self.in_float else ""
        return f"activations {self.activations}, {self.method}{kept}: mean difference of a probability {self.drift:.1e}"


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Pixels [N, H, W, 3] in batches, as ONNX Runtime's calibration asks for them."""

    def __init__(self, pixels: Pixels) -> None:
        self._batches = iter([pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)])

    def get_next(self) -> dict[str, Pixels] | None:
        """The next batch; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT_NAME: batch}


class Quantiser:
    """Makes int8 graphs of one fp32 graph; images are run through it once for each method."""

    def __init__(self, graph: Path, calibration: Pixels, judged: Pixels, folder: Path) -> None:
        self._calibration, self.judged, self._folder = calibration, judged, folder
        self._prepared = folder / "prepared.onnx"
        with _quiet():
            # Symbolic shapes need sympy and give nothing here: all but the batch is known.
            quant_pre_process(str(graph), str(self._prepared), skip_symbolic_shape=True)
        self._expected = Session(graph.read_bytes()).run(judged).probabilities
        self._head = [node.name for node in onnx.load(self._prepared).graph.node if HEAD in node.output]

    def make(self) -> Quantised:
        """Write the best int8 graph to `INT8_FILE` of the folder."""
        first, *others = METHODS
        activations = self._fastest(first)
        found = {method: self._make(method, activations) for method in [*others, first]}
        best = min(found, key=lambda method: found[method])
        if best != first:  # the last one that was written
            self._write(best, activations)
        return Quantised(activations=activations, method=best, drift=found[best])

    def keep_in_float(self, made: Quantised, layers: Sequence[str]) -> Quantised:
        """Write it once more, with `layers` (names of nodes) in float."""
        drift = self._make(made.method, made.activations, layers)
        return Quantised(activations=made.activations, method=made.method, drift=drift, in_float=tuple(layers))

    @property
    def file(self) -> Path:
        """The int8 graph that was written last."""
        return self._folder / INT8_FILE

    @property
    def prepared(self) -> Path:
        """The fp32 graph as it was quantised: with the names that layers have there."""
        return self._prepared

    def _fastest(self, method: str) -> str:
        """The type of activations whose graph runs fastest here."""
        seconds = {}
        for name in TYPES:
            self._write(method, name)
            seconds[name] = _seconds(Session(self.file.read_bytes(), Mode("cpu", "int8")), self.judged[:1])
        first, *others = TYPES
        faster = [name for name in others if FASTER * seconds[name] < seconds[first]]
        return min(faster, key=lambda name: seconds[name], default=first)

    def _make(self, method: str, activations: str, layers: Sequence[str] = ()) -> float:
        """Write a graph; returns the mean difference of a probability from fp32's on the images to judge by."""
        self._write(method, activations, layers)
        found = Session(self.file.read_bytes(), Mode("cpu", "int8")).run(self.judged).probabilities
        return float(np.abs(found - self._expected).mean())

    def _write(self, method: str, activations: str, layers: Sequence[str] = ()) -> None:
        with _quiet():
            quantize_static(
                str(self._prepared),
                str(self.file),
                _Images(self._calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=QUANTISED,
                per_channel=True,
                activation_type=TYPES[activations],
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[*self._head, *layers],
                calibrate_method=CalibrationMethod.MinMax,
                extra_options=METHODS[method],
                calibration_cache_path=self._folder / f"{method.replace(' ', '-')}.json",
            )


@contextmanager
def quantiser(graph: Path, calibration: Pixels, judged: Pixels) -> Iterator[Quantiser]:
    """A `Quantiser` of `graph`, uint8 [N, size, size, 3] images to calibrate and to judge by, in a temporary folder."""
    with TemporaryDirectory(prefix=".quantise-", dir=graph.parent.parent) as folder:
        yield Quantiser(graph, calibration, judged, Path(folder))


def _seconds(session: Session, pixels: Pixels) -> float:
    """The shortest of a few runs, after one to warm up."""
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        session.run(pixels)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what the quantiser logs: its advice is followed already."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
