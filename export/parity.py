"""Parity checks: exported graphs must answer like the trained model. One error reports all failures of three levels.

tensor     the same pixels give the same outputs (number, types, shapes, values): images and noise, five batch sizes
bytes      golden image files, decoded, resized and run through the graph, give the trained model's logits
decisions  on the validation split: the logits recorded in training, the same classes, the same labels
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import get_console
from rich.progress import track

from contract import ImageSpec, UserError, preprocess
from contract.golden import ATOL, RTOL, disagreement, read_golden
from contract.graph import Outputs
from export.candidates import Candidate
from export.validation import Validation, prepare

SHOWN_FLIPS = 10
DECISION_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the parity table. `disagreement` is the largest difference as a share of the tolerance."""

    level: str
    candidate: str
    what: str
    disagreement: float
    max_abs_diff: float
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check holds."""
        return not self.problem

    def as_dict(self) -> dict[str, Any]:
        """The check as a dictionary for the manifest."""
        return {**asdict(self), "rtol": RTOL, "atol": ATOL}


class ParityError(UserError):
    """An exported graph disagrees with the trained model. `checks` has the results of all checks."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = checks
        failed = [check for check in checks if not check.passed]
        lines = [f"  {check.level}, {check.candidate}, {check.what}: {check.problem}" for check in failed]
        super().__init__(
            f"{len(failed)} of {len(checks)} parity checks failed, so no bundle was written:\n" + "\n".join(lines)
        )


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the candidates are compared with: the staged bundle's folder and the validation split."""

    folder: Path
    validation: Validation
    spec: ImageSpec
    max_batch: int


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Pixels, and the trained model's outputs for them."""

    kind: str
    pixels: NDArray[np.uint8]
    expected: Outputs


def check_parity(reference: Candidate, candidates: Sequence[Candidate], proof: Proof) -> list[Check]:
    """Run all checks. Raises one `ParityError` if any of them fails."""
    probes = make_probes(reference, proof)
    checks = [check for candidate in candidates for check in check_tensors(candidate, probes)]
    checks += [check_golden(candidate, proof) for candidate in (reference, *candidates)]
    checks += check_decisions((reference, *candidates), proof)
    if not all(check.passed for check in checks):
        raise ParityError(checks)
    return checks


def make_probes(reference: Candidate, proof: Proof) -> list[Probe]:
    """Real images and noise, `max_batch` of each."""
    count = proof.max_batch
    images = prepare(proof.validation.examples[:count], proof.spec)
    images = images[np.arange(count) % len(images)]
    noise = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)
    pairs = {"images": images, "noise": noise}
    return [Probe(kind=kind, pixels=pixels, expected=reference.run(pixels)) for kind, pixels in pairs.items()]


def check_tensors(candidate: Candidate, probes: Sequence[Probe]) -> list[Check]:
    """Level 1: every probe in batches of 1, 2, 3, 8 and the largest size."""
    return [
        _guarded(
            "tensor",
            candidate,
            f"{probe.kind}, batch {batch}",
            partial(candidate.run, probe.pixels[:batch]),
            probe.expected.rows(0, batch),
        )
        for probe in probes
        for batch in sorted({1, 2, 3, 8, len(probe.pixels)})
    ]


def check_golden(candidate: Candidate, proof: Proof) -> Check:
    """Level 2: every golden file, starting from its bytes."""
    golden = read_golden(proof.folder)
    pixels = np.stack([preprocess((proof.folder / entry.file).read_bytes(), proof.spec) for entry in golden])
    expected = np.stack([entry.logits for entry in golden])
    return _guarded(
        "bytes", candidate, f"{len(golden)} golden files", lambda: (candidate.run(pixels).logits,), (expected,)
    )


def check_decisions(candidates: Sequence[Candidate], proof: Proof) -> list[Check]:
    """Level 3: the images of one split, each decoded once for all candidates, and the logits that training recorded."""
    validation, what = proof.validation, proof.validation.what
    logits: dict[str, list[NDArray[np.float32]]] = {candidate.name: [] for candidate in candidates}
    broken: dict[str, Check] = {}
    count = -(-len(validation.examples) // DECISION_BATCH)
    batches = validation.batches(proof.spec, DECISION_BATCH)
    for pixels in track(batches, "Checking", total=count, transient=True, disable=not get_console().is_terminal):
        for candidate in candidates:
            if candidate.name not in broken:
                try:
                    logits[candidate.name].append(candidate.run(pixels).logits)
                except Exception as error:  # any error of the runtime is a failed check, not a crash
                    broken[candidate.name] = _failed("decisions", candidate, what, error)
    return [
        broken.get(candidate.name) or _decide(candidate, np.concatenate(logits[candidate.name]), validation)
        for candidate in candidates
    ]


def _decide(candidate: Candidate, logits: NDArray[np.float32], validation: Validation) -> Check:
    same = int((_answered(logits, validation) == _answered(validation.logits, validation)).sum())
    what = f"{validation.what}, {same}/{len(logits)} same class"
    check = _compare("decisions", candidate, what, (logits,), (validation.logits,))
    flips = describe_flips(logits, validation)
    if not flips:
        return check
    return replace(check, problem=f"{len(flips)} predicted classes changed: {'; '.join(flips[:SHOWN_FLIPS])}")


def describe_flips(logits: NDArray[np.float32], validation: Validation) -> list[str]:
    """Every image whose predicted class changed, with the margin between the trained model's two best logits.

    If the margin is below twice the tolerance, it is a tie and either class is accepted.
    """
    flipped = _answered(logits, validation) != _answered(validation.logits, validation)
    second, first = np.sort(validation.decisive(validation.logits), axis=1)[:, -2:].T
    decided = first - second > 2 * (ATOL + RTOL * np.abs(first))
    return [
        f"{validation.examples[i].path} (margin {first[i] - second[i]:.3g})" for i in np.flatnonzero(flipped & decided)
    ]


def _answered(logits: NDArray[np.float32], validation: Validation) -> NDArray[np.int64]:
    """The class that is served for each image [N]."""
    result: NDArray[np.int64] = validation.decisive(logits).argmax(axis=1)
    return result


def check_names(names: Sequence[str], validation: Validation) -> Check:
    """Level 3, labels: the bundle's label for each class index is the label of its validation images."""
    wrong = sorted(
        {
            f"index {target} has the label {names[target]}, but its images have the label {label}"
            for example, target in zip(validation.examples, validation.targets, strict=True)
            if names[target] != (label := validation.labels[example.target])
        }
    )
    return Check(
        level="decisions",
        candidate="labels",
        what="class names",
        disagreement=0,
        max_abs_diff=0,
        problem="; ".join(wrong),
    )


def _guarded(
    level: str,
    candidate: Candidate,
    what: str,
    run: Callable[[], Sequence[NDArray[np.float32]]],
    expected: Sequence[NDArray[np.float32]],
) -> Check:
    try:
        return _compare(level, candidate, what, run(), expected)
    except Exception as error:  # a graph that can't run this batch is a failed check, not a crash
        return _failed(level, candidate, what, error)


def _failed(level: str, candidate: Candidate, what: str, error: Exception) -> Check:
    problem = f"it does not run: {str(error).strip().splitlines()[0][:200]}"
    return Check(
        level=level, candidate=candidate.name, what=what, disagreement=np.inf, max_abs_diff=np.inf, problem=problem
    )


def _compare(
    level: str,
    candidate: Candidate,
    what: str,
    actual: Sequence[NDArray[np.float32]],
    expected: Sequence[NDArray[np.float32]],
) -> Check:
    """Compare the outputs: their number, types, shapes and values."""
    names = Outputs._fields[: len(expected)]
    problems, worst, largest = [], 0.0, 0.0
    if len(actual) != len(expected):
        problems.append(f"{len(actual)} outputs, expected {len(expected)}")
    for name, found, wanted in zip(names, actual, expected, strict=False):
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            problems.append(f"{name} is {found.dtype} {found.shape}, expected {wanted.dtype} {wanted.shape}")
            continue
        share, difference = disagreement(found, wanted), float(np.max(np.abs(found - wanted)))
        worst, largest = max(worst, share), max(largest, difference)
        if share > 1:
            problems.append(f"{name} differs by {difference:.3g}, which is {share:.3g} times the tolerance")
    return Check(
        level=level,
        candidate=candidate.name,
        what=what,
        disagreement=worst,
        max_abs_diff=largest,
        problem="; ".join(problems),
    )
