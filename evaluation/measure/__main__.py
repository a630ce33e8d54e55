"""`python -m evaluation.measure`: a bundle and labelled images -> figures and a page."""

from contract.console import run_command


def main() -> None:
    """Read the command line and measure."""
    import tyro

    from evaluation.measure.config import MeasureConfig

    config = tyro.cli(MeasureConfig, prog="python -m evaluation.measure")
    from evaluation.measure.measure import measure

    measure(config)


if __name__ == "__main__":
    run_command(main)
