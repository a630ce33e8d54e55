"""The proof that exported graphs answer as the trained model did: three levels, all failures in one error.

tensor     the same pixels give the same outputs: names, types, shapes, values; real images and noise, five batch sizes
bytes      golden image files, through decoding, resizing and graph, give the trained model's logits
decisions  over the validation split, the logits training recorded, the same class, under the same name
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        """Plain values for the manifest."""
        return {**asdict(self), "rtol": RTOL, "atol": ATOL}


class ParityError(UserError):
    """An exported graph disagrees with the trained model; `checks` holds the whole table."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = checks
        failed = [check for check in checks if not check.passed]
        lines = [f"  {check.level}, {check.candidate}, {check.what}: {check.problem}" for check in failed]
        super().__init__(
            f"{len(failed)} of {len(checks)} parity checks failed, so no bundle was written:\n" + "\n".join(lines)
        )


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the candidates are held against: the staged bundle's folder and the validation split."""

    folder: Path
    validation: Validation
    spec: ImageSpec
    max_batch: int


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Pixels, and the outputs the trained model gives for them."""

    kind: str
    pixels: NDArray[np.uint8]
    expected: Outputs


def check_parity(reference: Candidate, candidates: Sequence[Candidate], proof: Proof) -> list[Check]:
    """Run every check. Raises `ParityError` if any fails."""
    probes = make_probes(reference, proof)
    checks = [check for candidate in candidates for check in check_tensors(candidate, probes)]
    for candidate in (reference, *candidates):
        checks.append(check_golden(candidate, proof))
        checks.append(check_decisions(candidate, proof))
    if not all(check.passed for check in checks):
        raise ParityError(checks)
    return checks


def make_probes(reference: Candidate, proof: Proof) -> list[Probe]:
    """Real images and noise, as many as the largest batch holds."""
    count = proof.max_batch
    images = prepare(proof.validation.examples[:count], proof.spec)
    images = images[np.arange(count) % len(images)]
    noise = np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8)
    pairs = {"images": images, "noise": noise}
    return [Probe(kind=kind, pixels=pixels, expected=reference.run(pixels)) for kind, pixels in pairs.items()]


def check_tensors(candidate: Candidate, probes: Sequence[Probe]) -> list[Check]:
    """Level 1: every probe in batches of 1, 2, 3, 8 and the largest."""
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
    """Level 2: every golden file, from its bytes."""
    golden = read_golden(proof.folder)
    pixels = np.stack([preprocess((proof.folder / entry.file).read_bytes(), proof.spec) for entry in golden])
    expected = np.stack([entry.logits for entry in golden])
    return _guarded(
        "bytes", candidate, f"{len(golden)} golden files", lambda: (candidate.run(pixels).logits,), (expected,)
    )


def check_decisions(candidate: Candidate, proof: Proof) -> Check:
    """Level 3: the validation split against the logits that training recorded."""
    validation, what = proof.validation, "validation"
    try:
        logits = np.concatenate(
            [candidate.run(pixels).logits for pixels in validation.batches(proof.spec, DECISION_BATCH)]
        )
    except Exception as error:  # whatever the runtime raises is the finding
        return _failed("decisions", candidate, what, error)
    alike = int((logits.argmax(axis=1) == validation.logits.argmax(axis=1)).sum())
    what = f"{what}, {alike}/{len(logits)} alike"
    check = _compare("decisions", candidate, what, (logits,), (validation.logits,))
    flips = describe_flips(logits, validation)
    if not flips:
        return check
    return replace(check, problem=f"{len(flips)} answers changed: {'; '.join(flips[:SHOWN_FLIPS])}")


def describe_flips(logits: NDArray[np.float32], validation: Validation) -> list[str]:
    """Every changed answer with the trained model's lead of its first over its second class.

    A lead below twice the tolerance is a tie, which either side may break.
    """
    flipped = logits.argmax(axis=1) != validation.logits.argmax(axis=1)
    second, first = np.sort(validation.logits, axis=1)[:, -2:].T
    decided = first - second > 2 * (ATOL + RTOL * np.abs(first))
    return [
        f"{validation.examples[i].path} (lead {first[i] - second[i]:.3g})" for i in np.flatnonzero(flipped & decided)
    ]


def check_names(names: Sequence[str], validation: Validation) -> Check:
    """Level 3, labels: the bundle's name for each class index is the name its validation images carry."""
    wrong = sorted(
        {
            f"index {target} is {names[target]}, its images are {label}"
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
    except Exception as error:  # a graph that can't run this batch is a finding, not a crash
        return _failed(level, candidate, what, error)


def _failed(level: str, candidate: Candidate, what: str, error: Exception) -> Check:
    problem = f"does not run ({str(error).strip().splitlines()[0][:200]})"
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
    """Number, then types, then shapes, then values of the outputs."""
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
            problems.append(f"{name} differs by {difference:.3g}, {share:.3g} times what is tolerated")
    return Check(
        level=level,
        candidate=candidate.name,
        what=what,
        disagreement=worst,
        max_abs_diff=largest,
        problem="; ".join(problems),
    )
