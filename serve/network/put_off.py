"""Clients that were told when to come again: who does not wait is held back by TCP, while there is no room for it."""

import asyncio
from collections.abc import Callable
from typing import Any

LONGEST_S = 2.5
"""For so long at most a connection is not read."""
TICK_S = 0.05


class PutOff:
    """Connections that are not read: each until its time has come, and one after another as soon as there is room.

    Many may share a connection, and the next to ask on it need not wait because another was refused.
    """

    def __init__(self, is_crowded: Callable[[], bool]) -> None:
        """`is_crowded` says whether whoever comes now would be refused."""
        self._is_crowded = is_crowded
        self._held = dict[object, Callable[[], Any]]()  # in the order they came
        self._at_once = 1

    def hold(self, connection: object, read: Callable[[], Any]) -> None:
        """`read` is called once there is room for it."""
        if not self._held:
            self._wait()
        self._held[connection] = read

    def forget(self, connection: object) -> None:
        """Its time has come, or it is gone."""
        self._held.pop(connection, None)

    def _wait(self) -> None:
        asyncio.get_running_loop().call_later(TICK_S, self._let_in)

    def _let_in(self) -> None:
        """One, and twice as many as before while there still is room: whether they ask is known only once they do."""
        self._at_once = 1 if self._is_crowded() else 2 * self._at_once
        if self._at_once > 1:
            for connection in list(self._held)[: self._at_once // 2]:
                self._held.pop(connection)()
        if self._held:
            self._wait()
