"""Runs one ONNX graph in one mode: pixels in; logits, probabilities and activation maps out."""

import numpy as np
from numpy.typing import NDArray

from contract.graph import INPUT_NAME, OUTPUT_NAMES, Outputs
from runtime.modes import REFERENCE, Mode
from runtime.providers import open_session


class Session:
    """An ONNX Runtime session with the options used for serving."""

    def __init__(self, model: bytes, mode: Mode = REFERENCE, threads: int = 0, gpu: int = 0, streams: int = 1) -> None:
        """Load the graph. `threads` 0 uses all cores; `gpu` is the CUDA device number; `streams` batches may be run at
        once, each on so many threads. Raises `ProviderError`.
        """
        self.mode = mode
        self.session = open_session(model, mode.provider, mode.precision, threads, gpu, streams)

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run the graph on uint8 [N, H, W, 3] RGB pixels."""
        return Outputs(*self.session.run(OUTPUT_NAMES, {INPUT_NAME: images_nhwc}))
