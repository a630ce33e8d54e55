"""`python -m evaluation.compare`: two or more runs -> whether they differ."""

from contract.console import run_command


def main() -> None:
    """Read the command line and compare."""
    import tyro

    from evaluation.compare.config import CompareRunsConfig

    config = tyro.cli(CompareRunsConfig, prog="python -m evaluation.compare")
    from evaluation.compare.compare import compare

    compare(config)


if __name__ == "__main__":
    run_command(main)
