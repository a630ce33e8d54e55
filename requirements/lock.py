"""pyproject.toml -> requirements/*.txt: exact versions with hashes, for any platform, naming no registry."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCKS = {
    "cpu": ["cpu", "openvino", "serve", "train", "export", "torchserve", "dev"],
    "gpu": ["gpu", "serve", "train", "export", "torchserve", "dev"],
    "serve-cpu": ["cpu", "serve", "container"],
    "serve-openvino": ["cpu", "openvino", "serve", "container"],
    "serve-gpu": ["gpu", "serve", "container"],
    "torchserve": ["cpu", "torchserve", "container"],
    "train-cpu": ["cpu", "openvino", "serve", "train", "export", "torchserve", "container"],
    "train-gpu": ["gpu", "serve", "train", "export", "torchserve", "container"],
    "peers": ["peers"],
}
# What CI installs and tests: every other environment of ours has its versions, so that a model is served by those that
# it was proven with. The other servers have nothing to do with ours.
TESTED, OF_OTHERS = "cpu", {"peers"}
OPTIONS = "--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet"


def lock(name: str, extras: list[str]) -> None:
    """Pin one set of extras into `<name>.txt`."""
    chosen = [flag for extra in extras for flag in ("--extra", extra)]
    output = ["--output-file", str(HERE / f"{name}.txt")]
    same = [] if name in {TESTED, *OF_OTHERS} else ["--constraint", str(HERE / f"{TESTED}.txt")]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        *chosen,
        *same,
        *OPTIONS.split(),
        *output,
        *sys.argv[1:],
    ]
    subprocess.run(command, check=True, cwd=HERE.parent)


if __name__ == "__main__":
    for name, extras in LOCKS.items():
        lock(name, extras)
