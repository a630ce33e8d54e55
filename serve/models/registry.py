"""Which models answer now: a table of services by name and label, changed as a whole and without losing a request."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from contract.request_error import RequestError
from serve.health import Life
from serve.models.loader import Loader
from serve.models.mirror import Mirror
from serve.models.repository import Found, Labels, Repository, Shelf
from serve.models.served_model import Service
from serve.observability.metrics import ModelId

STABLE, CANARY = "stable", "canary"


Relabel = Callable[[Shelf], Mapping[str, Labels | None]]


@dataclass(frozen=True, kw_only=True)
class Served:
    """One model's services, and the labels that they have."""

    labels: Labels
    stable: Service
    canary: Service | None = None

    def connect(self) -> None:
        """Let the stable one show some of what it answers to the canary, and no other one anything."""
        for service in self.by_label.values():
            if isinstance(service.mirror, Mirror):
                service.mirror.close()
            service.mirror = None
        if self.canary and self.labels.mirror:
            self.stable.mirror = Mirror(self.stable, self.canary, self.labels.mirror)

    @property
    def by_label(self) -> dict[str, Service]:
        """Services by label."""
        return {STABLE: self.stable, **({CANARY: self.canary} if self.canary else {})}

    @property
    def summary(self) -> str:
        """A line for people."""
        share = self.labels.mirror if self.canary else 0
        mirrored = f", which gets a copy of {100 * share:g} % of the requests" if share else ""
        return ", ".join(f"{label} {service.id.version}" for label, service in self.by_label.items()) + mirrored

    def find(self, version: str | None) -> Service | None:
        """The service of a version or label; without one, the stable one."""
        known = {service.id.version: service for service in self.by_label.values()} | self.by_label
        return known.get(version or STABLE)


class Models:
    """The services of the bundles in `repository`; `life` ends with the first stable one that can't answer any more."""

    def __init__(self, repository: Repository, loader: Loader, life: Life) -> None:
        self.repository, self.loader, self.life = repository, loader, life
        self.table: Mapping[str, Served] = {}
        self._open: dict[str, Service] = {}  # by fingerprint
        self._workers: dict[Service, asyncio.Task[None]] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._retired: set[ModelId] = set()
        self._changing = asyncio.Lock()

    def find(self, name: str | None, version: str | None = None) -> Service:
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
        service = self.table[name].find(version) if name in self.table else None
        if service is None:
            raise RequestError(
                404, "model_not_found", "no such model or version is being served; GET /models lists them"
            )
        return service

    @property
    def services(self) -> list[Service]:
        """All that answer."""
        return list(self._open.values())

    def versions(self, name: str) -> list[str]:
        """The versions in which a model is served."""
        return [service.id.version for service in self.table[name].by_label.values()]

    def load_all(self) -> None:
        """Before anything is served. Raises `UserError`."""
        shelf = self.repository.scan()
        plan = self.repository.plan(shelf)
        self._take(plan, shelf, {found.fingerprint: self.loader.load(found) for found in _wanted(plan, shelf)})
        if len(self.services) != 1:
            self._print()

    def start(self) -> None:
        """Let those answer that don't yet; there is an event loop now."""
        for service in self._open.values():
            if service not in self._workers:
                self._workers[service] = asyncio.create_task(self._work(service))

    async def stop(self, seconds: float) -> None:
        """End; what is being computed has so long."""
        self.life.hung = not await self.loader.finish(seconds)
        for task in [*self._workers.values(), *self._retiring]:
            task.cancel()

    async def reload(self, relabel: Relabel = lambda _: {}) -> None:
        """Serve what the folder and its labels say, with the changes of them that `relabel` makes of what is there.

        The changes are kept in the folder. A new bundle is loaded, verified and warmed beside those that answer, and
        takes its place among them at once. Raises `UserError`, and then everything is as before.
        """
        async with self._changing:
            shelf = await asyncio.to_thread(self.repository.scan)
            changes = relabel(shelf)
            plan = self.repository.plan(shelf, changes)
            opened = {found.fingerprint: await self._load(found) for found in _wanted(plan, shelf)}
            if changes:
                await asyncio.to_thread(self.repository.keep, changes)
            gone = set(self.services) - set(opened.values())
            self._take(plan, shelf, opened)
            self.start()
            self._retire(gone)
        self._print()

    async def _load(self, found: Found) -> Service:
        known = self._open.get(found.fingerprint)
        return known if known else await asyncio.to_thread(self.loader.load, found)

    def _take(self, plan: Mapping[str, Labels], shelf: Shelf, opened: dict[str, Service]) -> None:
        """From now on requests find these."""
        self._open = opened
        self.table = {name: _serve(labels, shelf[name], opened) for name, labels in plan.items()}
        for served in self.table.values():
            served.connect()
        self._tell_metrics()

    def _tell_metrics(self) -> None:
        metrics = self.loader.metrics
        for model in self._retired - {service.id for service in self.services}:
            metrics.forget(model)  # again, as an answer may have been counted after its model had retired
        self._retired.clear()
        metrics.info.clear()
        for served in self.table.values():
            for label, service in served.by_label.items():
                metrics.info.labels(*service.id, label).set(1)
                metrics.watch(service.id, service.admission)

    def _print(self) -> None:
        lines = [f"Serving {name}: {served.summary}" for name, served in sorted(self.table.items())]
        print("\n".join(lines) or "No model is being served", flush=True)

    def _retire(self, services: Iterable[Service]) -> None:
        """Let services end that nobody finds any more."""
        for service in services:
            retiring = asyncio.create_task(self._end(service))
            self._retiring.add(retiring)
            retiring.add_done_callback(self._retiring.discard)

    async def _end(self, service: Service) -> None:
        """Once those who had found it have their answers."""
        await service.idle()
        worker = self._workers.pop(service)
        worker.cancel()
        await asyncio.wait([worker])
        if service.id not in {other.id for other in self.services}:
            self.loader.metrics.forget(service.id)
            self._retired.add(service.id)
        del service, worker
        gc.collect()  # a session is hundreds of megabytes, and Python would let it wait for its next full round

    async def _work(self, service: Service) -> None:
        try:
            await service.batcher.work()
        except Exception as error:  # it answers nothing any more, whatever it was
            served = self.table.get(service.id.model)
            if served and served.stable is service:  # the server ends and says why
                self.life.failure = error
            elif served and served.canary is service:
                self._drop_canary(served.stable, service, error)
            else:
                name, version = service.id
                print(
                    f"error: {error}; version {version} of {name} has failed and is no longer served; "
                    "the others are not affected",
                    file=sys.stderr,
                    flush=True,
                )

    def _drop_canary(self, stable: Service, canary: Service, error: Exception) -> None:
        """It is on trial: its end must not be that of the others. When the folder is read again it is tried again."""
        name, version = canary.id
        print(f"error: {error}; the canary (version {version} of {name}) is removed", file=sys.stderr, flush=True)
        self._open = {key: service for key, service in self._open.items() if service is not canary}
        self.table = {**self.table, name: Served(labels=Labels(stable=stable.id.version), stable=stable)}
        self.table[name].connect()
        self._tell_metrics()
        self._retire([canary])


def _serve(labels: Labels, versions: Mapping[str, Found], opened: Mapping[str, Service]) -> Served:
    services = {label: opened[versions[version].fingerprint] for label, version in labels.versions.items()}
    return Served(labels=labels, stable=services[STABLE], canary=services.get(CANARY))


def _wanted(plan: Mapping[str, Labels], shelf: Shelf) -> list[Found]:
    """The bundles that the labels name."""
    return [shelf[name][version] for name, labels in plan.items() for version in labels.versions.values()]
