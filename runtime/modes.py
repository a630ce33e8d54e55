"""The ways in which a bundle can be run: a provider and a precision, and what this machine must have for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from contract import Manifest
from contract.certificate import Certificate
from contract.manifest import INT8_FILE, ONNX_FILE
from runtime.machine import features, processor
from runtime.providers import PROVIDERS, Precision, ProviderError, ProviderName, find_provider

# "auto" leaves the choice to a measurement.
WantedProvider = Literal["auto", "cpu", "openvino", "cuda", "tensorrt"]
WantedPrecision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

# A fast mode's probabilities may differ from fp32's by what its certificate saw at most, and a little more: rounding
# falls differently with another number of threads or another version.
DRIFT_SCALE = 1.5
DRIFT_SLACK = 1e-3

# Instructions without which a precision is emulated, slower and with other answers.
NEEDS: Mapping[Precision, str] = {"int8": "int8 dot products (VNNI)", "bf16": "bf16 arithmetic (AMX or AVX512_BF16)"}
FEATURES: Mapping[Precision, str] = {"int8": "vnni", "bf16": "bf16"}


@dataclass(frozen=True)
class Mode:
    """A provider, and the precision in which it computes."""

    provider: ProviderName = "cpu"
    precision: Precision = "fp32"

    def __str__(self) -> str:
        return f"{self.provider} {self.precision}"

    @property
    def file(self) -> str:
        """The graph that it runs: its name in the bundle."""
        return INT8_FILE if self.precision == "int8" else ONNX_FILE

    @property
    def is_fast(self) -> bool:
        """Whether it computes with less precision than parity was proven in, so that it needs a certificate."""
        return self.precision != "fp32"


REFERENCE = Mode()
ALL_MODES = [Mode(name, precision) for name, provider in PROVIDERS.items() for precision in provider.options]


def require_here(mode: Mode) -> None:
    """Raises `ProviderError` where this machine lacks the provider, or renders the precision differently."""
    provider = find_provider(mode.provider)
    needed = FEATURES.get(mode.precision)
    if needed and not provider.on_graphics_card and needed not in features():
        raise ProviderError(
            f"this processor ({processor()}) has no {NEEDS[mode.precision]}, so {mode} would answer differently here; "
            "use PRECISION=fp32, or another machine"
        )


def is_here(mode: Mode) -> bool:
    """Whether this machine can run it as it was meant."""
    try:
        require_here(mode)
    except ProviderError:
        return False
    return True


def modes_here(modes: Iterable[Mode] = ALL_MODES) -> list[Mode]:
    """Those of `modes` that this machine can run."""
    return [mode for mode in modes if is_here(mode)]


def certificate_of(mode: Mode, manifest: Manifest) -> Certificate | None:
    """The proof by which a fast mode of this bundle may serve; None if there is none."""
    found = [it for it in manifest.certificates if (it.provider, it.precision) == (mode.provider, mode.precision)]
    return found[0] if found else None


def is_admitted(mode: Mode, manifest: Manifest) -> bool:
    """Whether it may serve this bundle: in fp32 on any provider, else by its certificate."""
    return not mode.is_fast or certificate_of(mode, manifest) is not None


def require_admitted(mode: Mode, manifest: Manifest) -> None:
    """Raises `ProviderError` if it may not serve this bundle."""
    if not is_admitted(mode, manifest):
        admitted = ", ".join(str(each) for each in ALL_MODES if each.is_fast and is_admitted(each, manifest)) or "none"
        raise ProviderError(
            f"{manifest.name} has no certificate for {mode} (fast modes with one: {admitted}), so it is not known what "
            f"it would cost; prove it here with make certify RUN={manifest.name}, or use PRECISION=fp32"
        )


def tolerated_drift(mode: Mode, manifest: Manifest) -> float:
    """How far a probability may be from fp32's in this mode; 0 for fp32 itself, which has a tolerance of its own."""
    certificate = certificate_of(mode, manifest)
    return DRIFT_SCALE * certificate.drift + DRIFT_SLACK if certificate else 0.0


def modes_for(manifest: Manifest, provider: WantedProvider, precision: WantedPrecision) -> list[Mode]:
    """The modes of this bundle that may serve here and are what the user wants. Raises `ProviderError` without any."""
    wanted = [
        mode
        for mode in ALL_MODES
        if provider in ("auto", mode.provider)
        and precision in ("auto", mode.precision)
        # In fp32 it is as fast as the processor's own provider: only who asks for it needs to wait for its trial.
        and not (provider == "auto" and mode == Mode("openvino", "fp32"))
    ]
    found = [mode for mode in wanted if is_admitted(mode, manifest) and is_here(mode)]
    if found:
        return found
    if not wanted:
        raise ProviderError(f"provider {provider} does not compute in {precision}; choose another PRECISION")
    # Why not: of what was asked for, or of the first of several.
    require_here(wanted[0])
    require_admitted(wanted[0], manifest)
    raise AssertionError(f"{wanted[0]} is here and admitted")


def mode_for(manifest: Manifest, provider: WantedProvider, precision: WantedPrecision) -> Mode:
    """The first of them, where nothing is measured: fp32 unless another precision is wanted."""
    modes = modes_for(manifest, provider, precision)
    return next((mode for mode in modes if not mode.is_fast), modes[0])
