"""What the machine has in, where and in which arithmetic to train out."""

from contextlib import AbstractContextManager

import torch

from contract import UsageError

# The instruction sets in which a CPU multiplies bf16 itself; elsewhere bf16 is emulated and slower than fp32.
CPU_BF16 = ("avx512_bf16", "amx_bf16", "amx_tile", "arm_bf16")
# The first GPUs that multiply fp16 faster than float32.
TENSOR_CORES = (7, 0)


def pick_device(asked: str) -> torch.device:
    """The device to train on. Raises `UsageError` when CUDA is asked for and absent."""
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise UsageError("device is cuda, but torch finds no CUDA GPU on this machine; use auto or cpu")
    return torch.device("cuda" if available and asked != "cpu" else "cpu")


def native_formats(device: torch.device) -> list[torch.dtype]:
    """The number formats that the device multiplies itself, float32 first; an emulated bf16 is slower than fp32.

    fp16, whose gradients vanish or overflow more easily, is for GPUs without bf16; on CPUs it is not tried.
    """
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        half = [torch.bfloat16] if any(capabilities.get(name) for name in CPU_BF16) else []
    elif torch.cuda.is_bf16_supported(including_emulation=False):
        half = [torch.bfloat16]
    else:
        half = [torch.float16] if torch.cuda.get_device_capability() >= TENSOR_CORES else []
    return [torch.float32, *half]


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Mixed precision for bfloat16 and float16, plain float32 otherwise."""
    half = precision != torch.float32
    return torch.autocast(device.type, precision if half else None, enabled=half)


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
