"""Runs one ONNX graph on one execution provider: pixels in; logits, probabilities and activation maps out."""

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contract.graph import INPUT_NAME, OUTPUT_NAMES, Outputs
from runtime.providers import check_in_use, find_provider


class Session:
    """An ONNX Runtime session with the options used for serving."""

    def __init__(self, model: bytes, provider: str = "cpu", threads: int = 0, gpu: int = 0) -> None:
        """Load the graph. `threads` 0 uses all cores; `gpu` is the CUDA device number. Raises `ProviderError`."""
        self.provider, chosen = provider, find_provider(provider)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        device = {"device_id": str(gpu)} if gpu else {}
        self.session = onnxruntime.InferenceSession(
            model, sess_options=options, providers=[(chosen.name, {**chosen.options, **device})]
        )
        check_in_use(self.session, chosen)

    def run(self, images_nhwc: NDArray[np.uint8]) -> Outputs:
        """Run the graph on uint8 [N, H, W, 3] RGB pixels."""
        return Outputs(*self.session.run(OUTPUT_NAMES, {INPUT_NAME: images_nhwc}))
