"""`GET /models`: what is served here, for people and for the page."""

from dataclasses import dataclass

from fastapi import APIRouter

from serve.models.registry import ModelRegistry


@dataclass(frozen=True, kw_only=True)
class ListedVersion:
    """A version that is being served, and its labels."""

    version: str
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A model that is being served."""

    name: str
    versions: list[ListedVersion]


def routes(registry: ModelRegistry) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["Server"])

    @router.get("/models", response_description="The models, sorted by name")
    async def served() -> list[ListedModel]:
        """List the models that are being served, with their versions."""
        return [
            ListedModel(
                name=name,
                versions=[
                    ListedVersion(version=served.id.version, labels=[label]) for label, served in entry.by_label.items()
                ],
            )
            for name, entry in sorted(registry.table.items())
        ]

    return router
