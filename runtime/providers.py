"""The ONNX Runtime execution providers, by name. A missing provider is an error; there is no fallback to another."""

import functools
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import onnxruntime

from contract import UserError
from runtime.machine import processor

ProviderName = Literal["cpu", "openvino", "cuda", "tensorrt"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]
Options = Mapping[str, str]

# Each of these packages has the module `onnxruntime`; of two, the files of one replace some of the other's.
PACKAGES = ("onnxruntime", "onnxruntime-gpu")


class ProviderError(UserError):
    """The requested execution provider is not available on this machine."""


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A package with the library of a provider that ONNX Runtime loads (`register_execution_provider_library`).

    Of the devices that it offers, `device` is used: a key of its metadata and the value wanted.
    """

    package: str
    module: str
    device: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An execution provider: ONNX Runtime's name of it, the package that installs it, and what else it needs.

    `options` are those of each precision that it computes in, given how many batches run at once and the number of
    threads for each (0: all cores).
    """

    name: str
    install: str
    options: Mapping[Precision, Callable[[int, int], Options]]
    needs: str = ""
    plugin: Plugin | None = None
    prepare: Callable[[], None] = lambda: None
    on_graphics_card: bool = False
    settings: Options = field(default_factory=dict)
    """Entries of ONNX Runtime's session configuration."""


def _load_cuda() -> None:
    """Load the CUDA and cuDNN libraries from the nvidia-* packages; the system's loader does not search there."""
    onnxruntime.preload_dlls(directory="")


def _none(streams: int, threads: int) -> Options:
    """The processor's own provider takes its threads from the session's options, and any number of batches at once."""
    return {}


def _fixed(**options: str) -> Callable[[int, int], Options]:
    return lambda streams, threads: options


def _openvino(precision: str) -> Callable[[int, int], Options]:
    """Without this hint, OpenVINO computes an fp32 graph in bf16 wherever the processor can."""

    def options(streams: int, threads: int) -> Options:
        properties = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": streams * threads,
            "NUM_STREAMS": str(streams),
        }
        return {"load_config": json.dumps({"CPU": {key: value for key, value in properties.items() if value}})}

    return options


PROVIDERS: Mapping[ProviderName, Provider] = {
    "cpu": Provider(name="CPUExecutionProvider", install="onnxruntime", options={"fp32": _none, "int8": _none}),
    "openvino": Provider(
        name="OpenVINOExecutionProvider",
        install="requirements/serve-openvino.txt (the package onnxruntime-ep-openvino)",
        needs="an Intel processor (it asks who made the processor, see onnxruntime pull request 31981)",
        plugin=Plugin(package="onnxruntime-ep-openvino", module="onnxruntime_ep_openvino", device=("ov_device", "CPU")),
        # What is quantised is computed in int8 by the graph itself; the hint is for the rest of it.
        options={"fp32": _openvino("f32"), "bf16": _openvino("bf16"), "int8": _openvino("f32")},
        settings={"session.disable_cpu_ep_fallback": "1"},
    ),
    "cuda": Provider(
        name="CUDAExecutionProvider",
        install="requirements/serve-gpu.txt, which has onnxruntime-gpu instead of onnxruntime",
        needs="an NVIDIA GPU and its driver (does nvidia-smi answer?)",
        prepare=_load_cuda,
        on_graphics_card=True,
        # Strict fp32 (no TF32), as parity was checked in fp32. HEURISTIC avoids a kernel search for every batch size.
        options={"fp32": _fixed(use_tf32="0", cudnn_conv_algo_search="HEURISTIC")},
    ),
    "tensorrt": Provider(
        name="TensorrtExecutionProvider",
        install="requirements/serve-gpu.txt and TensorRT (the package tensorrt)",
        needs="an NVIDIA GPU, its driver and TensorRT's libraries",
        prepare=_load_cuda,
        on_graphics_card=True,
        options={"fp32": _none, "fp16": _fixed(trt_fp16_enable="1")},
    ),
}


def open_session(
    model: bytes, provider: ProviderName, precision: Precision, threads: int = 0, gpu: int = 0, streams: int = 1
) -> onnxruntime.InferenceSession:
    """A session of the graph `model` on one provider, for `streams` batches at once. Raises `ProviderError`.

    `threads`, for each of them, 0 uses all cores; `gpu` is the number of the graphics card.
    """
    chosen = find_provider(provider)
    if precision not in chosen.options:
        known = ", ".join(chosen.options)
        raise ProviderError(f"provider {provider} does not compute in {precision}; expected one of {known}")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    for key, value in chosen.settings.items():
        settings.add_session_config_entry(key, value)
    options = {**chosen.options[precision](streams, threads), **({"device_id": str(gpu)} if gpu else {})}
    session = _open(model, settings, chosen, options)
    check_in_use(session, chosen)
    return session


def _open(
    model: bytes, settings: onnxruntime.SessionOptions, provider: Provider, options: Options
) -> onnxruntime.InferenceSession:
    if provider.plugin is None:
        return onnxruntime.InferenceSession(model, sess_options=settings, providers=[(provider.name, options)])
    settings.add_provider_for_devices(_devices(provider)[:1], dict(options))
    return onnxruntime.InferenceSession(model, sess_options=settings)


def find_provider(name: ProviderName) -> Provider:
    """The provider called `name`, ready to load. Raises `ProviderError` if it is not on this machine."""
    provider = PROVIDERS[name]
    _require_one_package()
    if provider.plugin is not None:
        _register(name)
        if not _devices(provider):
            raise ProviderError(
                f"provider {name} offers no device on this processor ({processor()}); it needs {provider.needs}: "
                "use another, or leave PROVIDER out"
            )
        return provider
    available = onnxruntime.get_available_providers()
    if provider.name not in available:
        found = ", ".join(available)
        raise ProviderError(f"provider {name} is not available (found {found}); install {provider.install}")
    provider.prepare()
    return provider


@functools.cache
def _register(name: ProviderName) -> None:
    """Load the plugin's library, once in the life of the process: no session outlives it."""
    provider = PROVIDERS[name]
    assert provider.plugin is not None
    try:
        package = importlib.import_module(provider.plugin.module)
    except ModuleNotFoundError:
        raise ProviderError(f"{provider.install} is not installed; install it, or use another PROVIDER") from None
    if _devices(provider):  # another part of the process has done so
        return
    try:
        onnxruntime.register_execution_provider_library(provider.plugin.module, package.get_library_path())
    except Exception as error:  # onnxruntime's own errors have no common class
        reason = str(error).strip().splitlines()[0]
        raise ProviderError(
            f"the library of {provider.install} can't be loaded ({reason}); install it anew, or use another PROVIDER"
        ) from error


def _devices(provider: Provider) -> Sequence[Any]:
    assert provider.plugin is not None
    key, value = provider.plugin.device
    return [
        device
        for device in onnxruntime.get_ep_devices()
        if device.ep_name == provider.name and device.ep_metadata.get(key) == value
    ]


def _require_one_package() -> None:
    installed = [name for name in PACKAGES if _is_installed(name)]
    if len(installed) > 1:
        raise ProviderError(
            f"{' and '.join(installed)} are both installed, and each replaces files of the other; "
            f"uninstall both, then install one: pip uninstall {' '.join(installed)}"
        )


@functools.cache
def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def versions_of(name: ProviderName) -> str:
    """ONNX Runtime's version, and that of the provider's plugin if it is one."""
    plugin = PROVIDERS[name].plugin
    packages = [each for each in PACKAGES if _is_installed(each)] + ([plugin.package] if plugin else [])
    return ", ".join(f"{package} {version(package)}" for package in packages)


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
