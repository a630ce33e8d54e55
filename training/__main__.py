"""`python -m training`: a folder of labelled images -> runs/<run>/."""

from contract.console import run_command


def main() -> None:
    """Read the command line and train."""
    # torch takes seconds to import, and Ctrl-C must end in one line then too.
    import tyro

    from training.config import TrainConfig
    from training.train import train

    train(tyro.cli(TrainConfig, prog="python -m training"))


if __name__ == "__main__":
    run_command(main)
