"""The way of single frames from the exchange to a client: at once, late, or overtaken by others.

Answers to different calls may overtake each other and every notification; notifications of one
channel keep their order, as the real exchange keeps it. What cuts or delays bytes is the wire's.
"""

import random
from collections import deque
from typing import final

import trio

from chaos.world.exchange import lane
from tradebaas.paper.connections import Connection

Lane = tuple[int, str]


@final
class Carrier:
    """Carries frames; ``late`` is the chance that one is delayed, by up to ``most_s`` seconds.

    Notifications of channels that begin with ``slow`` are all late, by that much; none without it.
    """

    def __init__(self, rng: random.Random, nursery: trio.Nursery) -> None:
        self.late = 0.0
        self.most_s = 0.0
        self.slow = ""
        self._rng = rng
        self._nursery = nursery
        self._waiting: dict[Lane, deque[bytes]] = {}

    def post(self, connection: Connection, frame: bytes) -> None:
        """A ``Post`` for the exchange's server."""
        key = connection.number, lane(frame)
        if key in self._waiting:
            self._waiting[key].append(frame)
            return
        slow = bool(self.slow) and key[1].startswith(self.slow)
        if not slow and self._rng.random() >= self.late:
            connection.put(frame)
            return
        seconds = self.most_s if slow else self._rng.uniform(0.0, self.most_s)
        if key[1]:
            self._waiting[key] = deque([frame])
            self._nursery.start_soon(self._release, connection, key, seconds)
        else:
            self._nursery.start_soon(self._put, connection, frame, seconds)

    async def _put(self, connection: Connection, frame: bytes, seconds: float) -> None:
        await trio.sleep(seconds)
        connection.put(frame)

    async def _release(self, connection: Connection, key: Lane, seconds: float) -> None:
        await trio.sleep(seconds)
        for frame in self._waiting.pop(key):
            connection.put(frame)
