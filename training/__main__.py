"""`python -m training`: a folder of labelled images -> runs/<run>/."""

import tyro

from contract.console import run_command
from training.config import TrainConfig
from training.train import train

if __name__ == "__main__":
    run_command(lambda: train(tyro.cli(TrainConfig)))
