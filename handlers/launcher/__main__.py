"""`python -m handlers.launcher start` and `stop`."""

import tyro

from contract.console import run_command
from handlers.launcher.config import Start, Stop
from handlers.launcher.torchserve import start, stop


def main() -> None:
    """Read the command line and start or stop."""
    config = tyro.cli(Start | Stop, prog="python -m handlers.launcher")
    if isinstance(config, Start):
        start(config)
    else:
        stop()


if __name__ == "__main__":
    run_command(main)
