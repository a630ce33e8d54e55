"""`python -m dataset.arrays`: .npy and .npz files -> a folder of images that `DATA=` takes."""

import tyro

from contract.console import run_command
from dataset.arrays.convert import ConvertConfig, convert

if __name__ == "__main__":
    run_command(lambda: convert(tyro.cli(ConvertConfig, prog="python -m dataset.arrays")))
