"""What a canary is shown, and what is counted of it."""

import asyncio
import gc
from pathlib import Path

import numpy as np
import pytest

from contract import preprocess
from contract.graph import Outputs
from serve.models.mirror import Mirror
from serve.models.registry import ModelRegistry
from serve.models.repository import Labels
from serve.observability.timing import Timing
from tests.serve.versions import add_version, open_models


async def with_canary(bundle: Path, folder: Path, share: float) -> ModelRegistry:
    """The models of a folder with a stable version and a canary that turns its classes round."""
    add_version(bundle, folder, "leaf", "one")
    add_version(bundle, folder, "leaf", "two", other_way_round=True)
    models = open_models(folder)
    await models.reload(lambda _: {"leaf": Labels(stable="one", canary="two", mirror=share)})
    return models


def counted(models: ModelRegistry) -> dict[str, float]:
    """Mirrored pictures by what came of them."""
    samples = next(iter(models.loader.metrics.mirrored.collect())).samples
    return {sample.labels["result"]: sample.value for sample in samples if sample.name.endswith("_total")}


async def until_counted(models: ModelRegistry, pictures: int) -> dict[str, float]:
    async with asyncio.timeout(30):
        while sum(counted(models).values()) < pictures:
            await asyncio.sleep(0)
    return counted(models)


def test_pixels_are_mirrored_as_files_are(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    async def scenario() -> None:
        models = await with_canary(bundle, tmp_path, 1)
        stable = models.find("leaf")
        pixels = preprocess(red_jpeg, stable.model.manifest.image)
        await stable.run_pixels([pixels] * 3, float("inf"), Timing())
        assert await until_counted(models, 3) == {"different": 3}
        assert models.find("leaf", "canary").statistics.inferences == 3
        await models.stop(1)

    asyncio.run(scenario())


def test_a_share_of_the_requests_is_mirrored(
    bundle: Path, tmp_path: Path, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = iter([0.1, 0.2, 0.9, 0.25, 0.0])
    monkeypatch.setattr("serve.models.mirror.random.random", lambda: next(draws))

    async def scenario() -> None:
        models = await with_canary(bundle, tmp_path, 0.25)
        for _ in range(5):
            await models.find("leaf").run_files([red_jpeg], float("inf"), Timing())
        assert await until_counted(models, 3) == {"different": 3}
        assert next(draws, None) is None
        await models.stop(1)

    asyncio.run(scenario())


def test_where_there_is_no_time_for_it_it_is_skipped_and_counted(
    bundle: Path, tmp_path: Path, red_jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve.models.mirror.BUSY", -1.0)

    async def scenario() -> None:
        models = await with_canary(bundle, tmp_path, 1)
        await models.find("leaf").run_files([red_jpeg, red_jpeg], float("inf"), Timing())
        assert await until_counted(models, 2) == {"skipped": 2}
        assert models.find("leaf", "canary").statistics.inferences == 0
        await models.stop(1)

    asyncio.run(scenario())


def test_the_difference_is_that_of_the_stable_ones_best_class(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    async def scenario() -> None:
        models = await with_canary(bundle, tmp_path, 0)
        stable, canary = models.find("leaf"), models.find("leaf", "canary")
        result = (await stable.run_files([red_jpeg], float("inf"), Timing()))[0]
        assert isinstance(result, Outputs)
        assert stable.mirror is None
        assert stable.answers.best(result) == "red"
        turned = stable.answers.probability(result, "red") - canary.answers.probability(result, "red")
        assert turned == pytest.approx(float(result.probabilities[0, 2] - result.probabilities[0, 0]))
        Mirror(stable, canary, 1).files([red_jpeg], [result])
        await until_counted(models, 1)
        histogram = next(iter(models.loader.metrics.mirror_difference.collect()))
        total = next(sample.value for sample in histogram.samples if sample.name.endswith("_sum"))
        assert np.isclose(total, abs(turned), atol=1e-5)
        await models.stop(1)

    asyncio.run(scenario())


def test_what_was_not_begun_when_the_server_ends_is_left_without_a_word(
    bundle: Path, tmp_path: Path, red_jpeg: bytes, recwarn: pytest.WarningsRecorder
) -> None:
    async def scenario() -> None:
        models = await with_canary(bundle, tmp_path, 1)
        stable = models.find("leaf")
        (outputs,) = await stable.run_files([red_jpeg], float("inf"), Timing())
        assert await until_counted(models, 1) == {"different": 1}
        assert isinstance(stable.mirror, Mirror)
        stable.mirror.files([red_jpeg], [outputs])
        stable.mirror.close()
        await models.stop(1)
        assert counted(models) == {"different": 1}

    asyncio.run(scenario())
    gc.collect()
    assert [str(warning.message) for warning in recwarn if warning.category is RuntimeWarning] == []
