"""Examples without images: their features are drawn."""

from collections.abc import Sequence
from pathlib import Path

from dataset.split_file import Example


def examples(targets: Sequence[int], of_an_object: int = 1) -> list[Example]:
    """An example for each class index; so many in a row show one object."""
    return [
        Example(path=Path(f"{number}.png"), target=target, sha256=f"{number:03}", cluster=number // of_an_object)
        for number, target in enumerate(targets)
    ]
