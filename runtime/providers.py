"""Names of execution providers in, what ONNX Runtime must be given out.

A missing provider is an error, never a fallback.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import onnxruntime

from contract import UserError

ProviderName = Literal["cpu", "cuda"]


class ProviderError(UserError):
    """The execution provider asked for is not on this machine."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An ONNX Runtime execution provider, its options, what installs it, and what else it needs to load."""

    name: str
    install: str
    needs: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None


def _load_cuda() -> None:
    """Load CUDA's and cuDNN's libraries from the nvidia-* packages, where the loader does not look by itself."""
    onnxruntime.preload_dlls(directory="")


PROVIDERS: Mapping[str, Provider] = {
    "cpu": Provider(name="CPUExecutionProvider", install="onnxruntime"),
    "cuda": Provider(
        name="CUDAExecutionProvider",
        install="requirements/serve-gpu.txt, which has onnxruntime-gpu in place of onnxruntime",
        needs="an NVIDIA GPU and its driver (does nvidia-smi answer?)",
        prepare=_load_cuda,
        # Strict fp32, so that parity means parity; HEURISTIC spares a kernel search for every batch size.
        options={"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    ),
}


def find_provider(name: str) -> Provider:
    """The provider called `name`, ready to load. Raises `ProviderError` unless this ONNX Runtime has it."""
    provider = PROVIDERS[name]
    available = onnxruntime.get_available_providers()
    if provider.name not in available:
        raise ProviderError(f"provider {name} is not here (found {', '.join(available)}); install {provider.install}")
    provider.prepare()
    return provider


def check_in_use(session: onnxruntime.InferenceSession, provider: Provider) -> None:
    """ONNX Runtime drops a provider that fails to load and goes on without it; we don't. Raises `ProviderError`."""
    used = session.get_providers()
    if used[0] != provider.name:
        raise ProviderError(f"{provider.name} did not load, ONNX Runtime took {used[0]}; it needs {provider.needs}")
