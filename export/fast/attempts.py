"""Modes in, each one's verdict out: int8 is made and judged, and once more with layers in float if it lost answers."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from contract import Manifest
from contract.manifest import INT8_FILE, ONNX_FILE
from evaluation.gate.bounds import objects_needed
from evaluation.gate.gate import CONFIDENCE, CONFIDENCE_OF_A_SECOND_ATTEMPT, Pairs, Verdict, judge
from export.fast.evidence import Evidence, choose_balanced
from export.fast.quantise import Pixels, Quantised, Quantiser, quantiser
from export.fast.sensitivity import sensitive_layers
from export.fast.trial import compare, decode, open_sessions
from export.summary import print_step
from runtime import Mode

# Training images to calibrate on, and others to choose the method by.
CALIBRATION, JUDGED = 200, 48
# Of the training images, so many are compared too; that is shown, and admits nothing.
SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The pairs and the verdict of each mode, and how its int8 graph was made (None without one)."""

    pairs: dict[Mode, Pairs]
    verdicts: dict[Mode, Verdict]
    quantised: Quantised | None = None

    @property
    def admitted(self) -> list[Mode]:
        """The modes that may serve."""
        return [mode for mode, verdict in self.verdicts.items() if verdict.admitted]

    def lost_int8(self) -> list[Mode]:
        """The int8 modes that lost answers and could be admitted with fewer losses, if none of them was admitted."""
        int8 = {mode: verdict for mode, verdict in self.verdicts.items() if mode.precision == "int8"}
        if any(verdict.admitted for verdict in int8.values()):
            return []
        enough = partial(objects_needed, 0, confidence=CONFIDENCE_OF_A_SECOND_ATTEMPT)
        return [mode for mode, it in int8.items() if it.lost and it.objects >= enough(it.max_loss)]


class Attempts:
    """Judges modes of the bundle in `stage`, where the int8 graph that was judged last is left."""

    def __init__(self, stage: Path, manifest: Manifest, evidence: Evidence, max_loss: float) -> None:
        self._stage, self._manifest, self._evidence, self._max_loss = stage, manifest, evidence, max_loss
        self._shown = choose_balanced(evidence.trained, SHOWN)

    def run(self, modes: Sequence[Mode]) -> Attempt:
        """Judge `modes`. Raises `UserError`."""
        if not any(mode.precision == "int8" for mode in modes):
            return self._judge(modes, CONFIDENCE)
        with quantiser(self._stage / ONNX_FILE, *self._calibration()) as maker:
            made = maker.make()
            shutil.copy(maker.file, self._stage / INT8_FILE)
            first = replace(self._judge(modes, CONFIDENCE), quantised=made)
            return self._again(first, maker) if first.lost_int8() else first

    def _calibration(self) -> tuple[Pixels, Pixels]:
        """Training images to calibrate on, and others to choose the method by."""
        chosen = choose_balanced(self._evidence.trained, CALIBRATION + JUDGED)
        judged = min(JUDGED, max(1, len(chosen) // 4))
        print_step(f"Calibrating int8 on {len(chosen) - judged} training images")
        pixels = np.concatenate(list(decode(chosen, self._manifest.image, "Decoding")))
        return pixels[judged:], pixels[:judged]

    def _again(self, first: Attempt, maker: Quantiser) -> Attempt:
        """With layers in float; the first attempt where this one admits nothing either."""
        assert first.quantised is not None
        layers = sensitive_layers(maker.prepared, maker.file, maker.judged)
        lost = first.lost_int8()
        answers = "; ".join(first.verdicts[lost[0]].problems)
        print_step(f"Trying int8 with {len(layers)} layers in float ({', '.join(layers)}), as {answers}")
        made = maker.keep_in_float(first.quantised, layers)
        shutil.copy(maker.file, self._stage / INT8_FILE)
        second = self._judge(lost, CONFIDENCE_OF_A_SECOND_ATTEMPT)
        if not second.admitted:
            return first
        return Attempt(pairs=first.pairs | second.pairs, verdicts=first.verdicts | second.verdicts, quantised=made)

    def _judge(self, modes: Sequence[Mode], confidence: float) -> Attempt:
        counted = self._evidence.counted
        names = ", ".join(map(str, modes)) or "nothing"
        print_step(f"Comparing {names} with fp32 on {len(counted)} images that were not trained on")
        found = compare(open_sessions(self._stage, modes), [*counted, *self._shown], self._manifest.image)
        counts = np.arange(len(counted) + len(self._shown)) < len(counted)
        labels = [entry.label for entry in self._manifest.classes]
        verdicts = {
            mode: _with_training(judge(pairs.part(counts), labels, self._max_loss, confidence), pairs.part(~counts))
            for mode, pairs in found.items()
        }
        return Attempt(pairs={mode: pairs.part(counts) for mode, pairs in found.items()}, verdicts=verdicts)


def _with_training(verdict: Verdict, trained: Pairs) -> Verdict:
    """With the agreement on training images, which decides nothing."""
    training = {"images": len(trained.targets), "same": len(trained.targets) - int(trained.flips.sum())}
    return replace(verdict, figures={**verdict.figures, "training": training})
