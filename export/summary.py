"""Prints the progress and the result of an export: the parity table, the bundle's files, and the next commands."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from contract import Manifest
from contract.golden import ATOL, RTOL
from export.parity import Check

console = Console(highlight=False, markup=False, soft_wrap=True)


def print_step(what: str) -> None:
    """Announce a step that takes a while."""
    console.print(f"{what} …")


def print_note(what: str) -> None:
    """Tell what is not as one might expect."""
    console.print(f"note: {what}")


def print_checks(checks: Sequence[Check]) -> None:
    """Print the parity table. All checks in it passed; otherwise `ParityError` was raised before."""
    table = Table(box=None, pad_edge=False, title=f"Parity with the trained model (rtol {RTOL:g}, atol {ATOL:g})")
    for name in ("level", "model", "input"):
        table.add_column(name)
    for name in ("max difference", "of tolerance"):
        table.add_column(name, justify="right")
    for check in checks:
        table.add_row(
            check.level, check.candidate, check.what, f"{check.max_abs_diff:.1e}", f"{100 * check.disagreement:.1f} %"
        )
    console.print(table)


def print_bundle(bundle: Path, manifest: Manifest) -> None:
    """Print the bundle's files and the next commands."""
    console.print(f"\nExported {manifest.architecture} as {manifest.name}, version {manifest.version}, to {bundle}")
    for name in manifest.files:
        if not name.startswith("golden/"):
            console.print(f"  {name:20} {(bundle / name).stat().st_size / 1e6:8.1f} MB")
    console.print(f"Next: make serve RUN={manifest.name}")
    console.print(f"  or: make predict RUN={manifest.name} IMAGE=picture.jpg OUT=prediction_result.jpg")
