"""What waits to be sent: one bounded queue for each address, so that a dead one holds up no other.

Pure. A notice that comes from an event carries its number; up to where all addresses have been told
is what a restart goes on from.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import final

from msgspec import Struct

from tradebaas.notices.model import Notice, body_of, title_of

ROOM = 200
"""How many notices may wait for one address."""


class Waiting(Struct, frozen=True):
    """A notice with its words as they will be sent. ``seq`` is 0 when no event is behind it."""

    seq: int
    notice: Notice
    title: str
    body: str


def waiting(notice: Notice, seq: int, at_ms: int, origin: str) -> Waiting:
    return Waiting(seq, notice, title_of(notice), body_of(notice, at_ms, origin))


@final
class Queues:
    """The queues of all addresses, numbered from 0."""

    def __init__(self, addresses: int) -> None:
        self._queues = [deque[Waiting]() for _ in range(addresses)]
        self._under_way = [0] * addresses
        self.read = 0
        """Up to which event all notices are in the queues."""

    def put(self, item: Waiting) -> list[Notice]:
        """Queue it for every address; returns what had to make room, oldest first.

        What is urgent makes room only for what is urgent.
        """
        pairs = zip(self._queues, self._under_way, strict=True)
        dropped = [_add(queue, item, under_way) for queue, under_way in pairs]
        return [notice for notice in dropped if notice is not None]

    def first(self, address: int, many: int = 1) -> list[Waiting]:
        """What is to be sent to an address now; from here on it is under way."""
        found = list(islice(self._queues[address], many))
        self._under_way[address] = len(found)
        return found

    def done(self, address: int, many: int = 1) -> None:
        """Its first ones were delivered, or given up; the others are not under way any more."""
        self._under_way[address] = 0
        for _ in range(many):
            self._queues[address].popleft()

    @property
    def count(self) -> int:
        """How many wait, over all addresses."""
        return sum(map(len, self._queues))

    @property
    def told(self) -> int:
        """Up to which event every address has been told."""
        return min((item.seq - 1 for item in self._all() if item.seq), default=self.read)

    def _all(self) -> Iterable[Waiting]:
        return (item for queue in self._queues for item in queue)


def _add(queue: deque[Waiting], item: Waiting, under_way: int) -> Notice | None:
    """Append it; the notice that had to make room for it, or could not be added."""
    if len(queue) < ROOM:
        queue.append(item)
        return None
    rest = list(islice(queue, under_way, None))
    usual = (other for other in rest if not other.notice.urgent)
    dropped = next(usual, rest[0] if item.notice.urgent else item)
    if dropped is not item:
        queue.remove(dropped)
        queue.append(item)
    return dropped.notice
