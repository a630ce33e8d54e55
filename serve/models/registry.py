"""Which models answer now: a table of services by name and label, changed as a whole and without losing a request."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from contract.request_error import RequestError
from serve.health import Health
from serve.models.loader import Loader
from serve.models.mirror import Mirror
from serve.models.repository import BundleEntry, Catalog, Labels, Repository
from serve.models.served_model import ServedModel
from serve.observability.metrics import ModelId
from serve.saying import say

STABLE, CANARY = "stable", "canary"


Relabel = Callable[[Catalog], Mapping[str, Labels | None]]


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model's services, and the labels that they have."""

    labels: Labels
    stable: ServedModel
    canary: ServedModel | None = None

    def connect(self) -> None:
        """Let the stable one show some of what it answers to the canary, and no other one anything."""
        for served in self.by_label.values():
            if isinstance(served.mirror, Mirror):
                served.mirror.close()
            served.mirror = None
        if self.canary and self.labels.mirror:
            self.stable.mirror = Mirror(self.stable, self.canary, self.labels.mirror)

    @property
    def by_label(self) -> dict[str, ServedModel]:
        """Services by label."""
        return {STABLE: self.stable, **({CANARY: self.canary} if self.canary else {})}

    @property
    def summary(self) -> str:
        """A line for people."""
        share = self.labels.mirror if self.canary else 0
        mirrored = f", which gets a copy of {100 * share:g} % of the requests" if share else ""
        return ", ".join(f"{label} {served.id.version}" for label, served in self.by_label.items()) + mirrored

    def find(self, version: str | None) -> ServedModel | None:
        """The service of a version or label; without one, the stable one."""
        known = {served.id.version: served for served in self.by_label.values()} | self.by_label
        return known.get(version or STABLE)


class ModelRegistry:
    """The services of the bundles in `repository`; `life` ends with the first stable one that can't answer any more."""

    def __init__(self, repository: Repository, loader: Loader, health: Health) -> None:
        self.repository, self.loader, self.health = repository, loader, health
        self.table: Mapping[str, ModelEntry] = {}
        self._open: dict[str, ServedModel] = {}  # by fingerprint
        self._workers: dict[ServedModel, asyncio.Task[None]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._retired: set[ModelId] = set()
        self._changing = asyncio.Lock()

    def find(self, name: str | None, version: str | None = None) -> ServedModel:
        """The service of a model in a version, or under a label; without a name the only model there is.

        Raises `RequestError` 404, and 422 where it takes a name.
        """
        if not self.table:
            raise RequestError(404, "model_not_found", "no model is being served; load one first")
        if name is None:
            if len(self.table) > 1:
                raise RequestError(
                    422,
                    "missing_model",
                    f"several models are being served; choose one with ?model=: {', '.join(self.table)}",
                )
            name = next(iter(self.table))
        served = self.table[name].find(version) if name in self.table else None
        if served is None:
            raise RequestError(
                404, "model_not_found", "no such model or version is being served; GET /models lists them"
            )
        return served

    @property
    def served_models(self) -> list[ServedModel]:
        """All that answer."""
        return list(self._open.values())

    def versions(self, name: str) -> list[str]:
        """The versions in which a model is served."""
        return [served.id.version for served in self.table[name].by_label.values()]

    def load_all(self) -> None:
        """Before anything is served. Raises `UserError`."""
        catalog = self.repository.scan()
        plan = self.repository.plan(catalog)
        self._take(plan, catalog, {bundle.fingerprint: self.loader.load(bundle) for bundle in _wanted(plan, catalog)})
        if len(self.served_models) != 1:
            self._print()

    def start(self) -> None:
        """Let those answer that don't yet; there is an event loop now."""
        for served in self._open.values():
            if served not in self._workers:
                self._workers[served] = asyncio.create_task(self._work(served))

    async def stop(self, seconds: float) -> None:
        """End; what is being computed has so long."""
        self.health.hung = not await self.loader.finish(seconds)
        for task in [*self._workers.values(), *self._retiring]:
            task.cancel()

    async def reload(self, relabel: Relabel = lambda _: {}) -> None:
        """Serve what the folder and its labels say, with the changes of them that `relabel` makes of what is there.

        The changes are kept in the folder. A new bundle is loaded, verified and warmed beside those that answer, and
        takes its place among them at once. Raises `UserError`, and then everything is as before.
        """
        async with self._changing:
            catalog = await asyncio.to_thread(self.repository.scan)
            changes = relabel(catalog)
            plan = self.repository.plan(catalog, changes)
            opened = {bundle.fingerprint: await self._load(bundle) for bundle in _wanted(plan, catalog)}
            if changes:
                await asyncio.to_thread(self.repository.keep, changes)
            gone = set(self.served_models) - set(opened.values())
            self._take(plan, catalog, opened)
            self.start()
            self._retire(gone)
        self._print()

    async def _load(self, bundle: BundleEntry) -> ServedModel:
        known = self._open.get(bundle.fingerprint)
        return known if known else await asyncio.to_thread(self.loader.load, bundle)

    def _take(self, plan: Mapping[str, Labels], catalog: Catalog, opened: dict[str, ServedModel]) -> None:
        """From now on requests find these."""
        self._open = opened
        self.table = {name: _serve(labels, catalog[name], opened) for name, labels in plan.items()}
        for entry in self.table.values():
            entry.connect()
        self._tell_metrics()

    def _tell_metrics(self) -> None:
        metrics = self.loader.metrics
        for model in self._retired - {served.id for served in self.served_models}:
            metrics.forget(model)  # again, as an answer may have been counted after its model had retired
        self._retired.clear()
        metrics.info.clear()
        metrics.mode.clear()
        for entry in self.table.values():
            for label, served in entry.by_label.items():
                metrics.info.labels(*served.id, label).set(1)
                metrics.mode.labels(*served.id, served.mode).set(1)
                metrics.watch(served.id, served.admission)

    def _print(self) -> None:
        lines = [f"Serving {name}: {entry.summary}" for name, entry in sorted(self.table.items())]
        say("\n".join(lines) or "No model is being served")

    def _retire(self, served_models: Iterable[ServedModel]) -> None:
        """Let services end that nobody finds any more."""
        for served in served_models:
            retiring = asyncio.create_task(self._end(served))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)

    async def _end(self, served: ServedModel) -> None:
        """Once those who had found it have their answers."""
        await served.wait_idle()
        worker = self._workers.pop(served)
        worker.cancel()
        await asyncio.wait([worker])
        if served.id not in {other.id for other in self.served_models}:
            self.loader.metrics.forget(served.id)
            self._retired.add(served.id)
        del served, worker
        # A session is hundreds of megabytes, and Python would let it wait for its next full round. In a thread, so that
        # the one that ran its last batch has let go of it.
        await asyncio.to_thread(gc.collect)

    async def _work(self, served: ServedModel) -> None:
        try:
            await served.batcher.work()
        except Exception as error:  # it answers nothing any more, whatever it was
            entry = self.table.get(served.id.model)
            if entry and entry.stable is served:  # the server ends and says why
                self.health.failure = error
            elif entry and entry.canary is served:
                self._drop_canary(entry.stable, served, error)
            else:
                name, version = served.id
                say(
                    f"error: {error}; version {version} of {name} has failed and is no longer served; "
                    "the others are not affected",
                    sys.stderr,
                )

    def _drop_canary(self, stable: ServedModel, canary: ServedModel, error: Exception) -> None:
        """It is on trial: its end must not be that of the others. When the folder is read again it is tried again."""
        name, version = canary.id
        say(f"error: {error}; the canary (version {version} of {name}) is removed", sys.stderr)
        self._open = {key: served for key, served in self._open.items() if served is not canary}
        self.table = {**self.table, name: ModelEntry(labels=Labels(stable=stable.id.version), stable=stable)}
        self.table[name].connect()
        self._tell_metrics()
        self._retire([canary])


def _serve(labels: Labels, versions: Mapping[str, BundleEntry], opened: Mapping[str, ServedModel]) -> ModelEntry:
    served_models = {label: opened[versions[version].fingerprint] for label, version in labels.versions.items()}
    return ModelEntry(labels=labels, stable=served_models[STABLE], canary=served_models.get(CANARY))


def _wanted(plan: Mapping[str, Labels], catalog: Catalog) -> list[BundleEntry]:
    """The bundles that the labels name."""
    return [catalog[name][version] for name, labels in plan.items() for version in labels.versions.values()]
