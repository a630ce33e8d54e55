"""`GET /models`: what is served here, for people and for the page."""

from dataclasses import dataclass

from fastapi import APIRouter

from serve.models.registry import Models
from serve.rest.openapi.documents import answer

SERVED = answer(
    "The models, sorted by name",
    [{"name": "leaf", "versions": [{"version": "1", "labels": ["stable"]}, {"version": "2", "labels": ["canary"]}]}],
)


@dataclass(frozen=True, kw_only=True)
class ServedVersion:
    """A version that is being served, and its labels."""

    version: str
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model that is being served."""

    name: str
    versions: list[ServedVersion]


def routes(models: Models) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["Server"])

    @router.get("/models", responses=SERVED)
    async def served() -> list[ServedModel]:
        """List the models that are being served, with their versions."""
        return [
            ServedModel(
                name=name,
                versions=[
                    ServedVersion(version=service.id.version, labels=[label])
                    for label, service in entry.by_label.items()
                ],
            )
            for name, entry in sorted(models.table.items())
        ]

    return router
