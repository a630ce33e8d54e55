"""An architecture in, its official weights on the disk out, and what was verified said."""

from contract.manifest import sha256_of
from training.weights.imagenet import download, imagenet_url, place_of


def fetch(arch: str) -> None:
    """Download the weights unless they are there, verify them, and say where they are. Raises `WeightsError`."""
    url = imagenet_url(arch)
    path = place_of(url)
    was_there = path.is_file()
    download(url)
    print(f"{'Verified' if was_there else 'Fetched and verified'}: {path}")
    print(f"{path.stat().st_size / 1e6:.0f} MB, SHA-256 {sha256_of(path)}, from {url}")
    print(f"make train ARCH={arch} needs no network from here on. For a machine without one, copy the file to the")
    print("same place below its user's home (or below TORCH_HOME), and run this command there to verify it.")
