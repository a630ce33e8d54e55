"""`python -m export.fast`: runs/<run>/bundle/ -> the same with an int8 graph and certificates of its fast modes."""

import tyro

from contract.console import run_command
from export.fast.config import FastConfig


def main() -> None:
    """Read the command line and certify."""
    config = tyro.cli(FastConfig, prog="python -m export.fast")
    from export.fast.certify import certify  # only now, as what it imports takes seconds

    certify(config)


if __name__ == "__main__":
    run_command(main)
