"""`python -m evaluation.check`: labelled images -> a page about them."""

from contract.console import run_command


def main() -> None:
    """Read the command line and check the images."""
    import tyro

    from evaluation.check.config import CheckConfig

    config = tyro.cli(CheckConfig, prog="python -m evaluation.check")
    from evaluation.check.check import check

    check(config)


if __name__ == "__main__":
    run_command(main)
