"""One ONNX graph on one provider: pixels in, logits, probabilities and activation maps out."""

from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from runtime.providers import check_in_use, find_provider


class Outputs(NamedTuple):
    """What the graph answers for N images and C classes."""

    logits: NDArray[np.float32]
    """[N, C]"""
    probabilities: NDArray[np.float32]
    """[N, C], softmax(logits / temperature)"""
    activation_map: NDArray[np.float32]
    """[N, C, h, w], how much each place speaks for each class (Zhou et al. 2016, arXiv 1512.04150)"""

    def rows(self, start: int, stop: int) -> "Outputs":
        """The answers for images `start` to `stop`."""
        return Outputs(*(values[start:stop] for values in self))


INPUT_NAME = "image"
OUTPUT_NAMES = Outputs._fields


class Session:
    """An ONNX Runtime session with the options that serve."""

    def __init__(self, model: bytes, provider: str = "cpu", threads: int = 0) -> None:
        """Load the graph. `threads` 0 takes all cores. Raises `ProviderError`."""
        chosen = find_provider(provider)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model, sess_options=options, providers=[(chosen.name, dict(chosen.options))]
        )
        check_in_use(self.session, chosen)

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Answers for uint8 [N, H, W, 3] RGB pixels."""
        return Outputs(*self.session.run(OUTPUT_NAMES, {INPUT_NAME: images_nhwc}))
