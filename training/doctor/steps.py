"""A plan in, whether training is long enough out."""

from contract.text import counted
from training.config import TrainConfig
from training.doctor.finding import Finding
from training.recipe.plan import SCRATCH_STEPS, TUNING_STEPS, Plan

# Below, a model from random weights has hardly begun; trained weights need a fraction of that.
FEWEST_FROM_SCRATCH, FEWEST_TUNING = 200, 50


def check_steps(config: TrainConfig, plan: Plan) -> Finding:
    """Learning takes steps, whatever the number of epochs: 12 epochs of a small set are 96 steps."""
    scratch = config.weights == "none"
    fewest, usual = (FEWEST_FROM_SCRATCH, SCRATCH_STEPS) if scratch else (FEWEST_TUNING, TUNING_STEPS)
    origin = "random" if scratch else "trained"
    planned = f"{plan.steps} steps ({counted(plan.epochs, 'epoch')} of {plan.steps_per_epoch})"
    if plan.steps < fewest:
        sentence = (
            f"{planned} are too few from {origin} weights, which need {fewest} or more: leave out EPOCHS and STEPS, "
            f"or set STEPS={usual}"
        )
        return Finding(check="steps", outcome="failed", sentence=sentence)
    if plan.steps < usual:
        sentence = f"{planned} are fewer than the usual {usual} from {origin} weights"
        return Finding(check="steps", outcome="weak", sentence=sentence)
    return Finding(check="steps", outcome="passed", sentence=f"{planned} from {origin} weights")
