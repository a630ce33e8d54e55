"""The ONNX Runtime execution providers, by name. A missing provider is an error; there is no fallback to another."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import onnxruntime

from contract import UserError

ProviderName = Literal["cpu", "cuda"]


class ProviderError(UserError):
    """The requested execution provider is not available on this machine."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An ONNX Runtime execution provider: its options, the package that installs it, and what else it needs."""

    name: str
    install: str
    needs: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None


def _load_cuda() -> None:
    """Load the CUDA and cuDNN libraries from the nvidia-* packages; the system's loader does not search there."""
    onnxruntime.preload_dlls(directory="")


PROVIDERS: Mapping[str, Provider] = {
    "cpu": Provider(name="CPUExecutionProvider", install="onnxruntime"),
    "cuda": Provider(
        name="CUDAExecutionProvider",
        install="requirements/serve-gpu.txt, which has onnxruntime-gpu instead of onnxruntime",
        needs="an NVIDIA GPU and its driver (does nvidia-smi answer?)",
        prepare=_load_cuda,
        # Strict fp32 (no TF32), as parity was checked in fp32. HEURISTIC avoids a kernel search for every batch size.
        options={"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    ),
}


def find_provider(name: str) -> Provider:
    """The provider called `name`, ready to load. Raises `ProviderError` if this ONNX Runtime does not have it."""
    provider = PROVIDERS[name]
    available = onnxruntime.get_available_providers()
    if provider.name not in available:
        found = ", ".join(available)
        raise ProviderError(f"provider {name} is not available (found {found}); install {provider.install}")
    provider.prepare()
    return provider


def check_in_use(session: onnxruntime.InferenceSession, provider: Provider) -> None:
    """Check that `session` uses `provider`. Raises `ProviderError`.

    If a provider fails to load, ONNX Runtime continues silently with another one. Here that is an error.
    """
    used = session.get_providers()
    if used[0] != provider.name:
        raise ProviderError(
            f"{provider.name} did not load and ONNX Runtime would use {used[0]} instead; "
            f"{provider.name} needs {provider.needs}"
        )
