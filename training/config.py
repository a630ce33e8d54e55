"""Every choice of a training run: one frozen dataclass, from which the command line is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from contract import ImageSpec
from contract.image import LATEST_DECODING, Contrast, Fit
from contract.manifest import NAME_PATTERN
from contract.text import is_writable, printable
from dataset.config import DataOptions

ScheduleName = Literal["onecycle", "cosine", "plateau", "restarts", "constant"]
OptimizerName = Literal["adamw", "sgd"]
AugmentName = Literal["none", "photo", "surface", "text"]
BalanceName = Literal["auto", "none", "sample", "adjust"]
Architecture = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

# torchvision evaluates its current weights at 232 -> 224: the share of the shorter side that the centre crop keeps.
CROP_SHARE = 224 / 232
MOST_FOLDS = 20
# AdamW scales each step to about the rate; SGD's gradients are smaller than one.
SGD_FACTOR = 20


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
    """Initial weights: "imagenet" (torchvision's current weights), "none" (random), a .pth or .safetensors file, or a
    run: its best epoch, and its split is kept."""
    freeze: bool = False
    """Train only the last layer and keep all other weights."""
    size: int = 224
    """Input size of the model: side of a square, in pixels."""
    fit: Fit = "crop"
    """How images become square: "crop" keeps the centre, "stretch" keeps the whole image but distorts it, and "pad"
    keeps all of it and fills the rest with its mean colour."""
    contrast: Contrast = "none"
    """"standard" brings each image to the same mean and contrast: for grey surfaces with different exposures."""
    augment: AugmentName = "photo"
    """How training images are changed at random: "photo" mirrors left to right, "surface" turns in all directions (no
    up or down), "text" only shifts and tilts a little, "none" not at all."""
    balance: BalanceName = "auto"
    """What is done for classes with few images: "sample" draws all classes equally often, "adjust" corrects the answers
    by the classes' shares, "none" nothing. "auto" is "sample" from 3 : 1 on."""
    folds: int = 0
    """Cross-validate in so many folds, 2 to 20, and train the model that is kept on all of their images; 0: don't."""
    epochs: int | None = None
    """Number of passes over the training images. Default: enough for STEPS."""
    steps: int | None = None
    """Number of training steps. Default: 1000 to 2000 or 20 epochs from scratch, 400 or 4 epochs from other weights."""
    batch: int | None = None
    """Number of images in each training step. Default: 8 to 32, by the number of training images."""
    patience: int | None = None
    """Stop after so many validations without a better one; 0: never. Default: a third of all, and at least 5."""
    lr: float | None = None
    """Peak learning rate. Default: 1e-3 from scratch, 1e-4 from other weights, 1e-3 frozen; 20 times that for sgd."""
    schedule: ScheduleName = "onecycle"
    """How the learning rate changes: "onecycle" rises and falls, "cosine" falls, "restarts" falls several times,
    "plateau" falls where validation no longer improves, "constant" stays."""
    optimizer: OptimizerName = "adamw"
    """What turns gradients into better weights: "adamw", or "sgd" with momentum 0.9."""
    weight_decay: float = 0.02
    """Weight decay. It is not applied to normalization layers and biases."""
    label_smoothing: float | None = None
    """The share of the target probability that is spread over all classes. Default: 0.1 from 10 classes on, else 0."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Number format for training. "auto" takes bf16 (fp16 on GPUs without it) where timed steps show it faster."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device for training. "auto" uses the GPU if there is one."""
    workers: int | None = None
    """Number of threads that prepare images. Default: depends on the machine."""
    resume: bool = False
    """Continue an interrupted run from its last checkpoint."""
    resume_elsewhere: bool = False
    """Continue a run also on another device or in another precision than it was begun with."""
    overwrite: bool = False
    """Discard the contents of the run folder and start again."""

    def problems(self) -> list[str]:
        """What is wrong with the options."""
        checks = {
            f"run is {self.run!r}; expected 1 to 64 of a-z, A-Z, 0-9, . _ - (choose one with RUN=name)": bool(
                NAME_PATTERN.fullmatch(self.run)
            ),
            f"size is {self.size}; expected 32 to 1024 px": 32 <= self.size <= 1024,
            f"epochs is {self.epochs}; expected at least 1": self.epochs is None or self.epochs >= 1,
            f"folds is {self.folds}; expected 0, or 2 to 20": self.folds == 0 or 2 <= self.folds <= MOST_FOLDS,
            f"steps is {self.steps}; expected at least 1": self.steps is None or self.steps >= 1,
            "epochs and steps are both given; choose one of them": self.epochs is None or self.steps is None,
            f"patience is {self.patience}; expected 0 or more": self.patience is None or self.patience >= 0,
            f"batch is {self.batch}; expected at least 2 (batch normalization needs several images)": self.batch is None
            or self.batch >= 2,
            f"lr is {self.lr}; expected more than 0": self.lr is None or self.lr > 0,
            f"label_smoothing is {self.label_smoothing}; expected at least 0 and less than 1": self.label_smoothing
            is None
            or 0 <= self.label_smoothing < 1,
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
        usual = 1e-3 if self.weights == "none" else 1e-3 if self.freeze else 1e-4
        return usual * (SGD_FACTOR if self.optimizer == "sgd" else 1)

    def image_spec(self, depth: int) -> ImageSpec:
        """How images, whose 16-bit files use `depth` bits, are brought to the model's size."""
        return ImageSpec(
            size=self.size,
            resize=round(self.size / CROP_SHARE),
            fit=self.fit,
            depth=depth,
            contrast=self.contrast,
            decoding=LATEST_DECODING,
        )
