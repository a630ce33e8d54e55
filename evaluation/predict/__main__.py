"""`python -m evaluation.predict`: classify pictures without a server."""

from contract.console import run_command


def main() -> None:
    """Read the command line and classify."""
    import tyro

    from evaluation.predict.config import PredictConfig

    config = tyro.cli(PredictConfig, prog="python -m evaluation.predict")
    from evaluation.predict.predict import predict

    predict(config)


if __name__ == "__main__":
    run_command(main)
