"""What the machine has in, where and in which arithmetic to train out."""

from contextlib import AbstractContextManager

import torch

from contract import UsageError

# The instruction sets in which a CPU multiplies bf16 itself; elsewhere bf16 is emulated and slower than fp32.
CPU_BF16 = ("avx512_bf16", "amx_bf16", "amx_tile", "arm_bf16")


def pick_device(asked: str) -> torch.device:
    """The device to train on. Raises `UsageError` when CUDA is asked for and absent."""
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise UsageError("device is cuda, but torch finds no CUDA GPU on this machine; use auto or cpu")
    return torch.device("cuda" if available and asked != "cpu" else "cpu")


def native_formats(device: torch.device) -> list[torch.dtype]:
    """The number formats that the device multiplies itself, float32 first; an emulated bf16 is slower than fp32."""
    if device.type == "cuda":
        own = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        own = any(capabilities.get(name) for name in CPU_BF16)
    return [torch.float32, torch.bfloat16] if own else [torch.float32]


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Mixed precision for bfloat16, plain float32 otherwise."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)


def make_deterministic(seed: int) -> None:
    """Fix the fresh weights and forbid TF32 and autotuned kernels: the same run gives the same bits.

    Kernels without a deterministic form only warn, as torch has no other for them.
    """
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # New tensors need not be filled: no kernel here reads what it has not written, and it takes a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
