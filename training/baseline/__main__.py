"""`python -m training.baseline`: labelled images -> what a linear model tells, and suspicious labels."""

from contract.console import run_command


def main() -> None:
    """Read the command line and measure."""
    import tyro

    from training.baseline.config import BaselineConfig

    config = tyro.cli(BaselineConfig, prog="python -m training.baseline")
    # Only now, as torch takes seconds to import.
    from training.baseline.baseline import measure_baseline

    measure_baseline(config)


if __name__ == "__main__":
    run_command(main)
