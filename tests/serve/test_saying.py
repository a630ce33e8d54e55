"""Lines for people, on a pipe that somebody has stopped reading."""

import logging
import os
import select
from collections.abc import Iterator
from typing import BinaryIO, TextIO

import pytest

from serve.saying import say, say_what_is_logged

Pipe = tuple[BinaryIO, TextIO]


@pytest.fixture
def full() -> Iterator[Pipe]:
    """A pipe without any room."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as writer:
        while select.select([], [writing], [], 0)[1]:
            os.write(writing, b"x" * select.PIPE_BUF)
        yield reader, writer


def test_a_line_without_room_is_left_out_and_the_next_one_with_room_is_not(full: Pipe) -> None:
    say("lost", full[1])
    os.read(full[0].fileno(), 1 << 20)
    say("said", full[1])
    assert os.read(full[0].fileno(), 1 << 20) == b"said\n"


def test_what_a_library_logs_is_left_out_too(full: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", full[1])
    logger = logging.Logger("of-a-library")
    logger.addHandler(logging.StreamHandler())
    say_what_is_logged(logger)
    logger.error("lost")
    os.read(full[0].fileno(), 1 << 20)
    logger.error("said")
    assert os.read(full[0].fileno(), 1 << 20) == b"said\n"


def test_who_has_gone_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as writer:
        say("lost", writer)
