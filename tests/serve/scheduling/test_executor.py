"""The runners that models share."""

import asyncio

from contract.request_error import RequestError
from serve.scheduling.executor import BatchExecutor
from tests.serve.scheduling.sessions import GatedSession, busy, image, running


def test_models_that_have_work_take_turns() -> None:
    async def scenario() -> None:
        first, second, executor = GatedSession(), GatedSession(), BatchExecutor(1)
        async with running(first, executor=executor) as one, running(second, executor=executor) as other:
            many = one.submit([image(value) for value in range(12)])
            await busy(first, 1)
            few = other.submit([image(value) for value in range(2)])
            first.gate.release()
            await busy(second, 1)
            assert len(first.batches) == 1  # its eight others wait although they came first
            second.gate.release()
            await asyncio.gather(*few)
            first.gate.release(9)
            await asyncio.gather(*many)
        assert (first.batches, second.batches) == ([4, 4, 4], [2])

    asyncio.run(scenario())


def test_the_wait_counts_the_turns_of_the_others() -> None:
    async def scenario() -> None:
        executor = BatchExecutor(1)
        async with (
            running(GatedSession(), executor=executor) as one,
            running(GatedSession(), executor=executor) as other,
        ):
            assert (one.wait_s(0), one.wait_s(4)) == (0, 4)
            other.submit([image(1), image(2)])
            assert (one.wait_s(0), one.wait_s(4)) == (4, 12)

    asyncio.run(scenario())


def test_a_model_that_crashes_does_not_stop_the_others() -> None:
    async def scenario() -> None:
        first, second, executor = GatedSession(), GatedSession(), BatchExecutor(1)
        first.gate.release(9)
        second.gate.release(9)
        async with running(first, executor=executor) as one, running(second, executor=executor) as other:
            answers = await asyncio.gather(*one.submit([image(13)]), *other.submit([image(1)]), return_exceptions=True)
        assert isinstance(answers[0], RuntimeError)
        assert not isinstance(answers[1], BaseException | RequestError)

    asyncio.run(scenario())
