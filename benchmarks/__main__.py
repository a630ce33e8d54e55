"""`python -m benchmarks`: a bundle -> what the servers make of it on this machine."""

from contract.console import run_command


def main() -> None:
    """Read the command line and measure."""
    # Matplotlib takes seconds to import, and Ctrl-C must end in one line then too.
    import tyro

    from benchmarks.bench import bench
    from benchmarks.config import BenchConfig

    bench(tyro.cli(BenchConfig, prog="python -m benchmarks"))


if __name__ == "__main__":
    run_command(main)
