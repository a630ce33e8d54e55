"""`python -m runtime`: classify one image without a server."""

import tyro

from contract.console import run_command
from runtime.config import PredictConfig
from runtime.predict import predict

if __name__ == "__main__":
    run_command(lambda: predict(tyro.cli(PredictConfig, prog="python -m runtime")))
