"""`python -m training.weights`: an architecture -> its official ImageNet weights, fetched once and verified."""

from dataclasses import dataclass

from contract.console import run_command
from training.config import Architecture


@dataclass(frozen=True, kw_only=True)
class WeightsConfig:
    """Fetch the official ImageNet weights of an architecture, so that training needs no network."""

    arch: Architecture = "resnet152"
    """Network architecture."""


def main() -> None:
    """Read the command line and fetch."""
    import tyro

    config = tyro.cli(WeightsConfig, prog="python -m training.weights")
    # Only now, as torch takes seconds to import.
    from training.weights.fetch import fetch

    fetch(config.arch)


if __name__ == "__main__":
    run_command(main)
