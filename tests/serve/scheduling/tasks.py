"""What another process can be asked to do, for the tests."""

import os

from serve.scheduling.helper import Answer


def say_who(body: bytes) -> Answer:
    return {"process": os.getpid(), "size": len(body)}, [body, b"", body[:1]]


def die(body: bytes) -> Answer:
    os._exit(3)


def hang(body: bytes) -> Answer:
    os.read(os.pipe()[0], 1)
    raise AssertionError
