"""Bundles in, services out: verified, warmed and proven on this machine before they answer anything."""

import sys
from contextlib import suppress
from dataclasses import replace

from contract import Manifest, ManifestError
from contract.golden import GoldenError
from contract.manifest import MANIFEST_FILE, sha256_of
from runtime import Model, load_model, open_model
from runtime.machine import cores
from runtime.modes import certificate_of, is_admitted
from runtime.providers import versions_of
from runtime.tuning import Tuning, TuningRequest, tuned_model
from serve.budget import MemoryBudget
from serve.config import ServeConfig
from serve.models.repository import BundleEntry
from serve.models.served_model import ServedModel, SharedResources
from serve.observability.metrics import ServerMetrics
from serve.saying import say
from serve.scheduling.decoder import DecodePool
from serve.scheduling.executor import BatchExecutor

# Of the file with the weights: above that of ResNet-152 in fp32, which is 233 MB.
LARGEST_COPY = 300_000_000


class Loader:
    """Opens bundles; the first one decides how many batches run at once, on how many threads each, for all."""

    def __init__(self, config: ServeConfig) -> None:
        self.metrics, self.memory = ServerMetrics(), MemoryBudget(config.max_memory_bytes)
        self._tuning_request = TuningRequest(
            provider=config.provider,
            precision=config.precision,
            threads=config.threads,
            runners=config.runners,
            max_batch=config.max_batch,
        )
        self._max_wait_s, self._cache = config.max_wait_ms / 1000, config.cache
        self._shared: SharedResources | None = None
        self._tunings: dict[tuple[str, int], Tuning] = {}

    async def finish(self, seconds: float) -> bool:
        """Wait for the batches that are being run; whether they ended in that time."""
        return self._shared is None or await self._shared.executor.finish(seconds)

    def load(self, bundle: BundleEntry) -> ServedModel:
        """A bundle's service. Says what was proven. Raises `ManifestError`, `ProviderError` or `GoldenError`."""
        model, tuning, how = self._open(bundle)
        _check_unchanged(bundle, model)
        manifest = bundle.manifest
        alone = _load_for_one(bundle, model, tuning)
        served = self.equip(model, tuning, alone)
        say(
            f"{manifest.name}, version {manifest.version}: {manifest.architecture}, {len(manifest.classes)} classes\n"
            f"Verified {len(manifest.files)} files; golden files agree on {tuning.mode} "
            f"(largest difference {100 * model.golden_disagreement:.1f} % of the tolerance)\n"
            f"{_proof(manifest, tuning)}{tuning.summary} ({how}, with {versions_of(tuning.mode.provider)})"
            + (f"\nA picture alone gets all {cores()} cores, by a second copy of the model" if alone else ""),
        )
        for note in tuning.notes:
            say(f"note: left out: {note}", sys.stderr)
        return served

    def _open(self, bundle: BundleEntry) -> tuple[Model, Tuning, str]:
        """Where a model of the same shape was measured, that holds: under load a measurement would be wrong."""
        manifest = bundle.manifest
        alike = self._tunings.get((manifest.architecture, manifest.image.size))
        if alike and max(alike.batch_s) <= manifest.max_batch and is_admitted(alike.mode, manifest):
            # Where this model is rendered differently in that mode, the measurement leaves it out and says why.
            with suppress(GoldenError):
                model = load_model(bundle.folder, alike.mode, alike.threads, tuple(alike.batch_s), alike.runners)
                return model, alike, "settings of a model of the same size"
        model, tuning, known = tuned_model(bundle.folder, self._tuning_request, self._cache)
        return model, tuning, "measured at an earlier start" if known else "measured now"

    def equip(self, model: Model, tuning: Tuning, alone: Model | None = None) -> ServedModel:
        """A served model on this machine, whose lanes are those of the first model."""
        if self._shared is None:
            self._tuning_request = replace(self._tuning_request, runners=tuning.runners, threads=tuning.threads)
            decoding, executor = DecodePool(cores(), self.memory.room), BatchExecutor(tuning.runners)
            self._shared = SharedResources(decoding=decoding, executor=executor, metrics=self.metrics)
        self._tunings[model.manifest.architecture, model.manifest.image.size] = tuning
        return ServedModel(model, tuning, self._shared, self._max_wait_s, alone)


def _load_for_one(bundle: BundleEntry, model: Model, tuning: Tuning) -> Model | None:
    """The same model on all cores, where each of several lanes has fewer: a lone picture would wait for one of them.

    Its weights are in memory a second time, so models over `LARGEST_COPY` bytes go without.
    """
    small = (bundle.folder / tuning.mode.file).stat().st_size <= LARGEST_COPY
    if tuning.runners == 1 or not small:
        return None
    return open_model(bundle.folder, model.manifest, tuning.mode, cores())


def _proof(manifest: Manifest, tuning: Tuning) -> str:
    """Of a fast mode: how fast, and what was proven; empty for fp32, which is as it was trained."""
    certificate = certificate_of(tuning.mode, manifest)
    if certificate is None:
        return ""
    gain = f", {tuning.gain} here" if tuning.gain else ""
    return (
        f"Mode {tuning.mode}{gain}; its certificate: at most {100 * certificate.bound:.2f} points of accuracy lost "
        f"({100 * certificate.confidence:.0f} % confidence, {certificate.objects} objects, {certificate.evidence})\n"
    )


def _check_unchanged(bundle: BundleEntry, model: Model) -> None:
    """It was looked at and then loaded: labels and routes must not name one version while another one answers."""
    path = bundle.folder / MANIFEST_FILE
    if not path.is_file() or sha256_of(path) != bundle.fingerprint or model.manifest != bundle.manifest:
        raise ManifestError(f"{bundle.folder} changed while it was loaded; once it is complete, load it again")
