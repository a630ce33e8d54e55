"""Prints what the gate found: a line a mode, and why others may not serve."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from contract import Manifest
from contract.text import counted, printable
from evaluation.gate.gate import Pairs, Verdict
from export.fast.evidence import Evidence
from export.fast.quantise import Quantised
from export.summary import console


def print_evidence(evidence: Evidence) -> None:
    """What there is to judge by."""
    for note in evidence.notes:
        console.print(f"note: {printable(note)}")


def print_none(slower: Sequence[str]) -> None:
    """Nothing to try: no mode of the machine could be faster."""
    for line in slower:
        console.print(f"note: {line}")
    console.print("No fast mode runs on this machine: int8 needs VNNI, bf16 needs AMX and OpenVINO; fp32 is served")


def print_modes(
    results: Mapping[str, tuple[Pairs, Verdict]], quantised: Quantised | None, slower: Sequence[str]
) -> None:
    """A table of the modes, then the reasons."""
    table = Table(box=None, pad_edge=False, title="Fast modes beside fp32")
    table.add_column("mode", no_wrap=True)
    for name in ("accuracy", "same answer", "lost", "points at most", "admitted"):
        table.add_column(name, justify="right", no_wrap=True)
    for mode, (pairs, verdict) in results.items():
        labelled, agreement = verdict.figures["validation"], verdict.figures["agreement"]
        accuracy = f"{labelled['accuracy'][0]:.3f} -> {labelled['accuracy'][1]:.3f}" if labelled else ""
        table.add_row(
            mode,
            accuracy,
            f"{agreement['same']}/{len(pairs.targets)}",
            f"{verdict.lost}/{verdict.objects}",
            f"{100 * verdict.bound:.2f}",
            "yes" if verdict.admitted else "no",
        )
    if results:
        console.print(table)
        console.print(f"Decided by {next(iter(results.values()))[1].evidence}.")
    if quantised:
        console.print(f"int8: {quantised.told}")
    for line in [*slower, *(f"{mode}: {it}" for mode, (_, found) in results.items() for it in found.problems)]:
        console.print(f"note: {line}")


def print_admitted(manifest: Manifest, page: Path) -> None:
    """The result in a sentence, and where the images are that are answered otherwise."""
    names = [f"{each.provider} {each.precision}" for each in manifest.certificates]
    console.print(f"{counted(len(names), 'fast mode')} may serve{': ' if names else ''}{', '.join(names)}")
    console.print(f"report  {page}")
