"""Who may wait: decided by how long it would be."""

import asyncio
import math
import time

import pytest

from contract import ImageSpec
from contract.request_error import RequestError
from serve.scheduling.admission import Admission, Bound
from serve.scheduling.decoder import DecodePool, Decoder
from tests.serve.scheduling.sessions import GatedSession, busy, image, running


def decoder() -> Decoder:
    return Decoder(ImageSpec(size=32, resize=32), DecodePool(2), lambda seconds: None)


def test_a_wait_beyond_the_bound_is_429_and_says_when_to_come_again() -> None:
    async def scenario() -> RequestError:
        session = GatedSession()
        async with running(session) as batcher:
            admission = Admission(decoder(), batcher, max_wait_s=3.0)
            admission.check(math.inf)
            batcher.submit([image(1)])
            await busy(session, 1)
            batcher.submit([image(value) for value in range(3)])
            admission.check(math.inf)
            batcher.submit([image(value) for value in range(6)])
            assert admission.waiting == 9
            with pytest.raises(RequestError, match=r"would wait [89]") as caught:
                admission.check(math.inf)
        return caught.value

    error = asyncio.run(scenario())
    assert (error.status, error.code, error.headers) == (429, "overloaded", {"Retry-After": "6"})


def test_those_who_are_refused_are_told_to_come_again_one_after_another() -> None:
    async def scenario() -> list[str]:
        session = GatedSession()
        async with running(session, times={1: 1.0}) as batcher:
            admission = Admission(decoder(), batcher, max_wait_s=8.5)
            batcher.submit([image(1)])
            await busy(session, 1)
            batcher.submit([image(value) for value in range(8)])
            return [(refusal(admission).headers or {})["Retry-After"] for _ in range(7)]

    assert asyncio.run(scenario()) == ["1", "2", "3", "4", "5", "5", "5"]


def test_a_queue_that_stands_is_kept_at_half_the_bound_until_it_is_nearly_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("serve.scheduling.admission.time.perf_counter", lambda: now)
    bound = Bound(2.0)

    def after(seconds: float, wait_s: float) -> float:
        nonlocal now
        now += seconds
        return bound.at(wait_s)

    assert [after(0.1, 1.9), after(1.8, 1.0), after(0.1, 0.9)] == [2.0, 2.0, 2.0]  # a burst, which passes
    assert [after(1.0, 1.1), after(1.9, 2.0), after(0.2, 2.0)] == [2.0, 2.0, 1.0]
    assert [after(60.0, 0.9), after(0.1, 0.5), after(0.1, 0.4), after(0.1, 1.9)] == [1.0, 1.0, 2.0, 2.0]


def refusal(admission: Admission) -> RequestError:
    with pytest.raises(RequestError) as caught:
        admission.check(math.inf)
    return caught.value


def test_a_deadline_before_the_answer_is_504_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 60.0)  # the clock stands still, however busy this machine is

    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            admission = Admission(decoder(), batcher, max_wait_s=60)
            admission.check(60 + 1.1)
            with pytest.raises(RequestError) as caught:
                admission.check(60 + 0.9)
            assert caught.value.status == 504
            batcher.submit([image(1)])
            await busy(session, 1)
            with pytest.raises(RequestError):
                admission.check(60 + 1.1)

    asyncio.run(scenario())


def test_pictures_that_wait_for_their_decoding_count(red_jpeg: bytes) -> None:
    async def scenario() -> None:
        async with running(GatedSession(), times={1: 1e-6}) as batcher:
            crowd = decoder()
            admission = Admission(crowd, batcher, max_wait_s=1e-3)
            await crowd.decode([red_jpeg])
            working = asyncio.create_task(crowd.decode([red_jpeg] * 500))
            await asyncio.sleep(0)
            assert admission.waiting == 500
            with pytest.raises(RequestError) as caught:
                admission.check(math.inf)
            assert caught.value.status == 429
            assert len(await working) == 500
            admission.check(math.inf)
            assert crowd.pending == 0

    asyncio.run(scenario())
