"""`python -m benchmarks.tune`: a bundle -> the best way to serve it on this machine."""

import tyro

from benchmarks.tune.tune import TuneConfig, tune
from contract.console import run_command

if __name__ == "__main__":
    run_command(lambda: tune(tyro.cli(TuneConfig, prog="python -m benchmarks.tune")))
