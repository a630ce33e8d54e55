"""`python -m serve`: a bundle -> answers over HTTP."""

import tyro

from contract.console import run_command
from serve.config import ServeConfig
from serve.server import serve

if __name__ == "__main__":
    run_command(lambda: serve(tyro.cli(ServeConfig, prog="python -m serve")))
