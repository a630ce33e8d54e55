"""`python -m training.doctor`: labelled images and a recipe -> what would keep a model from learning."""

from contract.console import run_command


def main() -> None:
    """Read the command line and check."""
    import tyro

    from training.config import TrainConfig

    config = tyro.cli(TrainConfig, prog="python -m training.doctor")
    # Only now, as torch takes seconds to import.
    from training.doctor.doctor import doctor

    doctor(config)


if __name__ == "__main__":
    run_command(main)
