"""The batcher around a session that waits to be told to go on."""

import asyncio
import time

import pytest

from contract.request_error import RequestError
from serve.scheduling import batcher as batcher_module
from serve.scheduling.batcher import SessionBrokenError
from serve.scheduling.executor import BatchExecutor
from tests.serve.scheduling.sessions import GatedSession, busy, image, running


def test_a_lone_image_starts_at_once_and_others_gather_meanwhile() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            rest = batcher.submit([image(value) for value in range(2, 8)])
            session.gate.release(3)
            answers = [entry.outputs.logits[0, 0] for entry in await asyncio.gather(*first, *rest)]
        assert answers == [1, 2, 3, 4, 5, 6, 7]
        assert session.batches == [1, 4, 2]

    asyncio.run(scenario())


def test_free_runners_share_what_waits() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session, runners=2) as batcher:
            answers = batcher.submit([image(value) for value in range(4)])
            await busy(session, 2)
            session.gate.release(2)
            await asyncio.gather(*answers)
        assert session.batches == [2, 2]

    asyncio.run(scenario())


def test_only_the_sizes_that_were_measured_are_run() -> None:
    async def scenario() -> None:
        session = GatedSession()
        session.gate.release(9)
        async with running(session) as batcher:
            await asyncio.gather(*batcher.submit([image(value) for value in range(7)]))
        assert session.batches == [4, 2, 1]

    asyncio.run(scenario())


def test_the_wait_is_that_of_the_running_batch_and_of_those_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 60.0)  # the clock stands still, however busy this machine is

    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            assert batcher.wait_s(0) == 0
            assert batcher.wait_s(8) == 8
            batcher.submit([image(1)])
            await busy(session, 1)
            assert batcher.wait_s(0) == 1
            assert batcher.wait_s(5) == 5

    asyncio.run(scenario())


def test_a_second_runner_halves_the_wait() -> None:
    async def scenario() -> None:
        async with running(GatedSession(), runners=2) as batcher:
            assert [batcher.wait_s(ahead) for ahead in (0, 4, 8, 12)] == [0, 0, 2, 4]

    asyncio.run(scenario())


def test_what_can_no_longer_be_answered_in_time_is_504_and_not_computed() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            (late,) = batcher.submit([image(2)], deadline=time.perf_counter() + 0.5)
            (early,) = batcher.submit([image(3)], deadline=time.perf_counter() + 60)
            session.gate.release(9)
            await asyncio.gather(*first, early)
            with pytest.raises(RequestError, match="deadline") as caught:
                await late
        assert caught.value.status == 504
        assert session.batches == [1, 1]

    asyncio.run(scenario())


def test_a_crash_fails_its_batch_and_the_next_one_is_answered() -> None:
    async def scenario() -> None:
        session = GatedSession()
        session.gate.release(9)
        async with running(session) as batcher:
            with pytest.raises(RuntimeError, match="session crashed"):
                await batcher.submit([image(13)])[0]
            assert (await batcher.submit([image(5)])[0]).outputs.logits[0, 0] == 5

    asyncio.run(scenario())


def test_a_session_that_crashes_for_good_ends_the_work_and_fails_everyone() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            (crashing,) = batcher.submit([image(66)])
            await busy(session, 1)
            (waiting,) = batcher.submit([image(1)])
            session.gate.release(9)
            with pytest.raises(RuntimeError, match="session crashed"):
                await crashing
            with pytest.raises(SessionBrokenError, match="again on a black test image"):
                await waiting
            with pytest.raises(SessionBrokenError):
                batcher.submit([image(1)])
        assert session.batches == [1, 1]

    asyncio.run(scenario())


def test_a_cancelled_image_leaves_the_queue_and_is_not_computed() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session) as batcher:
            first = batcher.submit([image(1)])
            await busy(session, 1)
            gone, stays = batcher.submit([image(2), image(3)])
            gone.cancel()
            await asyncio.sleep(0)
            assert batcher.waiting == 1
            session.gate.release(9)
            await asyncio.gather(*first, stays)
        assert session.batches == [1, 1]

    asyncio.run(scenario())


def test_batches_are_finished_or_found_to_hang() -> None:
    async def scenario() -> None:
        session, executor = GatedSession(), BatchExecutor(1)
        async with running(session, executor=executor) as batcher:
            assert await executor.finish(0)
            first = batcher.submit([image(1)])
            await busy(session, 1)
            assert not await executor.finish(0.1)
            session.gate.release()
            assert await executor.finish(10)
            await asyncio.gather(*first)

    asyncio.run(scenario())


def test_runners_that_still_work_fail_with_the_one_that_found_the_session_broken() -> None:
    async def scenario() -> None:
        session = GatedSession()
        async with running(session, runners=2) as batcher:
            both = batcher.submit([image(66), image(66)])
            await busy(session, 2)
            session.gate.release(2)
            for answer in both:
                with pytest.raises((RuntimeError, SessionBrokenError)):
                    await asyncio.wait_for(answer, 10)

    asyncio.run(scenario())


def test_an_image_gets_all_cores_while_nobody_else_asks() -> None:
    async def scenario() -> None:
        lane, alone = GatedSession(), GatedSession()
        alone.gate.release(9)
        async with running(lane, runners=2, alone=alone) as batcher:
            for value in range(3):  # one after another
                await asyncio.gather(*batcher.submit([image(value)]))
        assert (lane.batches, alone.batches) == ([], [1, 1, 1])

    asyncio.run(scenario())


def test_once_somebody_else_asks_images_get_a_lane_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        lane, alone = GatedSession(), GatedSession()
        lane.gate.release(9)
        async with running(lane, runners=2, alone=alone) as batcher:
            first = batcher.submit([image(1)])
            await busy(alone, 1)
            await asyncio.gather(*batcher.submit([image(2)]))
            alone.gate.release(1)
            await asyncio.gather(*first)
            await asyncio.gather(*batcher.submit([image(3)]))  # so soon after, others may still be about
            assert (lane.batches, alone.batches) == ([1, 1], [1])
            monkeypatch.setattr(batcher_module, "CROWD_S", 0.0)
            alone.gate.release(1)
            await asyncio.gather(*batcher.submit([image(4)]))
            assert (lane.batches, alone.batches) == ([1, 1], [1, 1])

    asyncio.run(scenario())


def test_several_images_of_one_request_share_the_lanes() -> None:
    async def scenario() -> None:
        lane, alone = GatedSession(), GatedSession()
        lane.gate.release(9)
        async with running(lane, runners=2, alone=alone) as batcher:
            await asyncio.gather(*batcher.submit([image(1), image(2)]))
        assert (lane.batches, alone.batches) == ([1, 1], [])

    asyncio.run(scenario())
