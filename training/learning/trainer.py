"""A configuration and a data set in, everything that the epochs of a run share out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from contract import ImageSpec
from dataset.clusters import cluster_numbers
from dataset.data_set import DataSet
from dataset.split_file import Example
from evaluation.answers import Answers
from training.config import TrainConfig
from training.learning.engine import Step, evaluate, make_scaler, pooled_features
from training.learning.judge import ByValidation, Judge
from training.learning.loader import Drawing, EvaluationBatches, TrainingBatches, default_workers
from training.learning.pictures import Memory
from training.model.device import pick_device
from training.model.network import Classifier, freeze_backbone, parameter_groups
from training.model.precision import fastest_precision
from training.recipe.loss import make_loss
from training.recipe.optimizer import make_optimizer
from training.recipe.plan import Plan, make_plan
from training.recipe.schedule import LearningRate
from training.weights.load import load_weights

EVALUATION_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """What the epochs of one run share."""

    config: TrainConfig
    data: DataSet
    model: Classifier
    plan: Plan
    fresh_head: bool
    step: Step
    judge: Judge
    batches: TrainingBatches
    held_out: EvaluationBatches

    def evaluate(self, split: str, precision: torch.dtype = torch.float32) -> Answers:
        """The model's answers on a split."""
        return self.answers(self.data.splits[split], precision)

    @property
    def spec(self) -> ImageSpec:
        """How images become the model's input."""
        return self.config.image_spec(self.data.depth)

    def answers(self, examples: Sequence[Example], precision: torch.dtype = torch.float32) -> Answers:
        """The model's answers on some images, prepared as for serving."""
        answers = evaluate(self.model, self.held_out.of(examples), self.step.device, precision)
        return replace(answers, clusters=cluster_numbers(examples))

    def features(self, examples: Sequence[Example]) -> NDArray[np.float64]:
        """What the last layer sees of some images, float64 [N, F]."""
        return pooled_features(self.model, self.held_out.of(examples), self.step.device)


def build_trainer(config: TrainConfig, data: DataSet, *, fresh: bool, judge: Judge | None = None) -> Trainer:
    """Build the model and everything that trains it; pretrained weights are only fetched for a fresh start.

    The validation images judge, unless another `judge` is given.
    """
    device = pick_device(config.device)
    spec = config.image_spec(data.depth)
    # The fresh weights depend on the seed alone, and not on what was built before.
    torch.manual_seed(config.seed)
    model = Classifier(config.arch, len(data.classes), spec)
    kept_head = fresh and load_weights(model, config.weights, config.arch, data.labels)
    model.to(device).to(memory_format=torch.channels_last)  # the layout of `Classifier.features`
    if config.freeze:
        freeze_backbone(model)
    counts = list(data.count("train").values())
    plan = make_plan(config, counts)
    workers = config.workers if config.workers is not None else default_workers(device)
    memory = Memory()
    return Trainer(
        config=config,
        data=data,
        model=model,
        plan=plan,
        fresh_head=fresh and config.weights != "none" and not kept_head,
        judge=judge or ByValidation(counts, plan.patience),
        step=_make_step(config, model, device, plan, counts),
        batches=TrainingBatches(
            data.splits["train"],
            spec,
            Drawing(batch=plan.batch, seed=config.seed, augment=config.augment, balanced=plan.balance == "sample"),
            workers,
            memory,
        ),
        held_out=EvaluationBatches(spec, batch=EVALUATION_BATCH, workers=workers, memory=memory),
    )


def make_groups(config: TrainConfig, model: Classifier) -> list[dict[str, Any]]:
    """The parameters of `model` with their rates, as the optimizer takes them."""
    from_scratch = config.weights == "none" or config.freeze
    return parameter_groups(model, config.peak_lr, config.weight_decay, from_scratch=from_scratch)


def _precision(config: TrainConfig, model: Classifier, batch: int, device: torch.device) -> tuple[torch.dtype, float]:
    """What was asked for, or what is fastest here, and how much faster than float32 that is; 0 if nobody timed it."""
    if config.precision != "auto":
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[config.precision], 0.0
    return fastest_precision(model, config.arch, config.size, batch, device)


def _make_step(config: TrainConfig, model: Classifier, device: torch.device, plan: Plan, counts: Sequence[int]) -> Step:
    precision, gain = _precision(config, model, plan.batch, device)
    optimizer = make_optimizer(config.optimizer, make_groups(config, model))
    return Step(
        optimizer=optimizer,
        scaler=make_scaler(device, precision),
        rate=LearningRate(config.schedule, optimizer, plan.steps),
        criterion=make_loss(plan.balance, counts, config.label_smoothing).to(device),
        device=device,
        precision=precision,
        gain=gain,
    )
