"""How much the tests try: what a commit can wait for, or what `make prove` takes its time for."""

import os

PROVING = bool(os.environ.get("PROVE"))


def times(commit: int, prove: int) -> int:
    """Examples, seeds or kills: so many for a commit, so many for `make prove`."""
    return prove if PROVING else commit
