"""`python -m training`: a folder of labelled images -> runs/<run>/."""

from contract.console import run_command


def main() -> None:
    """Read the command line and train."""
    import tyro

    from training.config import TrainConfig
    from training.lock import hold_run

    config = tyro.cli(TrainConfig, prog="python -m training")
    with hold_run(config.folder):
        # Only now, as torch takes seconds to import; and in here, so that Ctrl-C meanwhile ends in one line too.
        from training.train import train

        train(config)


if __name__ == "__main__":
    run_command(main)
