"""Pictures that take long to unfold, and those that do not."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PIL import Image

from contract import ImageSpec
from contract.request_error import RequestError
from serve.scheduling.decoder import LARGE, LONGEST_S, DecodePool, Decoder
from tests.pictures import encode

BOMB = encode(Image.new("RGB", (2500, 2000)), "PNG", compress_level=1)


def test_large_pictures_hold_up_no_small_ones(red_jpeg: bytes) -> None:
    leave, waiting = threading.Event(), threading.Event()

    @contextmanager
    def room(count: int) -> Iterator[None]:
        if count > LARGE:
            waiting.set()
            assert leave.wait(30)
        yield

    async def scenario() -> None:
        decoder = Decoder(ImageSpec(size=32, resize=32), DecodePool(2, room), lambda seconds: None)
        bombs = asyncio.create_task(decoder.decode([BOMB] * 4))
        await asyncio.to_thread(waiting.wait, 30)
        for _ in range(10):
            assert len(await decoder.decode([red_jpeg])) == 1
        leave.set()
        assert len(await bombs) == 4

    asyncio.run(scenario())


def test_a_large_picture_behind_many_is_429() -> None:
    async def scenario() -> None:
        pool = DecodePool(2)
        pool.large.observe(60.0)
        decoder = Decoder(ImageSpec(size=32, resize=32), pool, lambda seconds: None)
        first = asyncio.create_task(decoder.decode([BOMB]))
        while pool.large.wait_s <= LONGEST_S:
            await asyncio.sleep(0)
        with pytest.raises(RequestError) as caught:
            await decoder.decode([BOMB])
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "55"})
        assert len(await first) == 1

    asyncio.run(scenario())
