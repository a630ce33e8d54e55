"""Every choice of a training run: one frozen dataclass, from which the command line is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract import ImageSpec
from contract.image import Fit
from contract.manifest import NAME_PATTERN
from contract.text import is_writable, printable
from dataset.config import DataOptions

Architecture = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

# torchvision evaluates its current weights at 232 -> 224: the share of the shorter side that the centre crop keeps.
CROP_SHARE = 224 / 232


@dataclass(frozen=True, kw_only=True)
class TrainConfig(DataOptions):
    """Fine-tune a ResNet on a folder of labelled images."""

    run: str
    """Name of the run: letters, digits, dots, dashes and underscores."""
    runs: Path = Path("runs")
    """Folder that contains all runs."""
    arch: Architecture = "resnet152"
    """Network architecture."""
    weights: str = "imagenet"
    """Initial weights: "imagenet" (torchvision's current weights), "none" (random), or a .pth or .safetensors file."""
    freeze: bool = False
    """Train only the last layer and keep all other weights."""
    size: int = 224
    """Input size of the model: side of a square, in pixels."""
    fit: Fit = "crop"
    """How images become square: "crop" keeps the centre, "stretch" keeps the whole image but distorts it."""
    epochs: int = 12
    """Number of passes over the training images."""
    batch: int = 32
    """Number of images in each training step."""
    lr: float | None = None
    """Peak learning rate of the one-cycle schedule. Default: 5e-4 from scratch, 1e-4 fine-tuning, 1e-3 frozen."""
    weight_decay: float = 0.02
    """Weight decay of AdamW. It is not applied to normalization layers and biases."""
    label_smoothing: float = 0.1
    """Label smoothing: the share of the target probability that is spread over all classes."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format for training. "auto" uses bf16 if the hardware supports it."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for training. "auto" uses the GPU if there is one."""
    workers: int | None = None
    """Number of processes that decode images. Default: depends on the machine."""
    resume: bool = False
    """Continue an interrupted run from its last checkpoint."""
    overwrite: bool = False
    """Discard the contents of the run folder and start again."""

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        checks = {
            f"run is {self.run!r}; expected 1 to 64 of a-z, A-Z, 0-9, . _ - (choose one with RUN=name)": bool(
                NAME_PATTERN.fullmatch(self.run)
            ),
            f"size is {self.size}; expected 32 to 1024 px": 32 <= self.size <= 1024,
            f"epochs is {self.epochs}; expected at least 1": self.epochs >= 1,
            f"batch is {self.batch}; expected at least 2 (batch normalization needs several images)": self.batch >= 2,
            f"lr is {self.lr}; expected more than 0": self.lr is None or self.lr > 0,
            f"label_smoothing is {self.label_smoothing}; expected at least 0 and less than 1": 0
            <= self.label_smoothing
            < 1,
            "freeze is given but weights is none; set weights to imagenet or a file": not self.freeze
            or self.weights != "none",
            **{
                f"{name} is {printable(path)}, which is not UTF-8; rename it": is_writable(path)
                for name in ("runs", "weights")
                if (path := str(getattr(self, name)))
            },
            "resume and overwrite are both given; choose one of them": not (self.resume and self.overwrite),
        }
        return [*super().problems(), *(problem for problem, fine in checks.items() if not fine)]

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

    def image_spec(self, depth: int) -> ImageSpec:
        """How images, whose 16-bit files use `depth` bits, are brought to the model's size."""
        return ImageSpec(size=self.size, resize=round(self.size / CROP_SHARE), fit=self.fit, depth=depth)
