"""The crowd of slow clients, against the real server, which hangs up on every kind of them."""

import os

import pytest

from benchmarks.load.slow_clients import SLOWNESSES, SlowClients
from tests.commands import RunningServer


@pytest.mark.slow
def test_every_kind_of_slow_client_is_hung_up_on_and_comes_again(server: RunningServer) -> None:
    with SlowClients(server.url, len(SLOWNESSES)) as crowd:
        while len(crowd.lasted_s) < 2 * len(SLOWNESSES):  # pytest-timeout ends a server that lets them stay
            os.sched_yield()  # the crowd has the lowest priority
    assert min(crowd.lasted_s) > 1
    assert max(crowd.lasted_s) < 20
