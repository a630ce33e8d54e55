"""Every choice of a training run: one frozen dataclass, from which the command line is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract import ImageSpec, UsageError
from contract.image import Fit
from contract.manifest import NAME_PATTERN
from contract.text import is_writable, printable

Architecture = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

# torchvision evaluates its current weights at 232 -> 224: the share of the shorter side that the centre crop keeps.
CROP_SHARE = 224 / 232


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Fine-tune a ResNet on a folder of labelled images."""

    data: Path
    """A folder per class; or train/ val/ (or valid/) test/ of such folders; or a CSV: path, label[, split][, group]."""
    run: str
    """Name of the run; letters, digits, dot, dash and underscore."""
    runs: Path = Path("runs")
    """Folder that holds all runs."""
    arch: Architecture = "resnet152"
    """Network."""
    weights: str = "imagenet"
    """Where training starts: "imagenet" (torchvision's current weights), "none", or a .pth or .safetensors file."""
    freeze: bool = False
    """Train only the last layer on top of the given weights."""
    size: int = 224
    """Side of the square the model sees, in pixels."""
    fit: Fit = "crop"
    """Pictures that are not square: "crop" sees the centre, "stretch" sees all of it, out of proportion."""
    epochs: int = 12
    """Passes over the training images."""
    batch: int = 32
    """Images per step."""
    lr: float | None = None
    """Peak learning rate of the one-cycle schedule; by default 5e-4 from scratch, 1e-4 fine-tuning, 1e-3 frozen."""
    weight_decay: float = 0.02
    """AdamW's weight decay; norms and biases are spared."""
    label_smoothing: float = 0.1
    """Share of the target spread over all classes."""
    seed: int = 0
    """Fixes the split, the order of the images, their augmentation and the fresh weights."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the training steps; "auto" takes bf16 where the machine has it in hardware."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; "auto" takes the GPU if there is one."""
    workers: int | None = None
    """Processes that decode images; by default chosen from the machine."""
    skip_unreadable: bool = False
    """Train without the files that are no readable images, instead of stopping."""
    names: Path | None = None
    """JSON of class -> display name in any language; by default names.json in the data folder, if there."""
    resume: bool = False
    """Continue an interrupted run from its last checkpoint."""
    overwrite: bool = False
    """Discard what is in the run folder and start anew."""

    def __post_init__(self) -> None:
        """Check everything at once."""
        checks = {
            f"run is {self.run!r}; expected 1 to 64 of a-z, A-Z, 0-9, . _ - (choose one with RUN=name)": bool(
                NAME_PATTERN.fullmatch(self.run)
            ),
            f"size is {self.size}; expected 32 to 1024 px": 32 <= self.size <= 1024,
            f"epochs is {self.epochs}; expected at least 1": self.epochs >= 1,
            f"batch is {self.batch}; expected at least 2 (batch norm needs company)": self.batch >= 2,
            f"lr is {self.lr}; expected above 0": self.lr is None or self.lr > 0,
            f"label_smoothing is {self.label_smoothing}; expected 0 to below 1": 0 <= self.label_smoothing < 1,
            "freeze needs weights to keep; set weights to imagenet or a file": not self.freeze
            or self.weights != "none",
            **{
                f"{name} is {printable(path)}, which is not UTF-8; rename it": is_writable(path)
                for name in ("data", "runs", "weights", "names")
                if (path := str(getattr(self, name)))
            },
            "resume and overwrite contradict each other": not (self.resume and self.overwrite),
        }
        UsageError.raise_for([problem for problem, fine in checks.items() if not fine])

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.runs / self.run

    @property
    def peak_lr(self) -> float:
        """The learning rate asked for, or the usual one for this kind of training."""
        if self.lr is not None:
            return self.lr
        if self.weights == "none":
            return 5e-4
        return 1e-3 if self.freeze else 1e-4

    @property
    def image_spec(self) -> ImageSpec:
        """How images are brought to the model's size."""
        return ImageSpec(size=self.size, resize=round(self.size / CROP_SHARE), fit=self.fit)
