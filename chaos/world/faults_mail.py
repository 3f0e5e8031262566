"""Frames on their way out of the exchange: sent twice or in two, spoilt, or in an odd dress.

``Mail.post`` stands between the exchange's server and whatever carries the frames (``deliver``:
the connection itself, or a simulation's own post with its delays). It never reorders: that is the
carrier's business, and ``exchange.lane`` still reads a frame that went through here.
"""

from collections.abc import Callable
from random import Random

from chaos.world.exchange import lane
from chaos.world.faults_dress import dressed, orders_first
from tradebaas.paper.connections import Connection, Post

ERROR_PAGE = b"<html><head><title>502 Bad Gateway</title></head></html>"


class Mail:
    """One post office; it lives as long as the simulation, the exchange may die meanwhile."""

    def __init__(self, rng: Random, deliver: Post = Connection.put) -> None:
        self.forms: dict[str, bool] = {}
        """The names of the forms (``faults_dress``) that frames are dressed in."""
        self.notes_twice = 0
        self.notes_in_two = 0
        self.answers_twice = 0
        self.notes_spoilt = 0
        self.answers_spoilt = 0
        self.doubled = 0
        """How many answers have been sent twice."""
        self._rng = rng
        self._deliver = deliver

    def post(self, connection: Connection, frame: bytes) -> None:
        """A ``Post`` for the server."""
        where = lane(frame)
        if self.forms:
            frame = dressed(frame, self.forms, self._rng)
        frames = [frame]
        if _is_order_answer(frame):
            frames = self._handle_answer(frame)
        elif where.startswith("user."):
            frames = self._handle_note(frame)
        for sent in frames:
            self._deliver(connection, sent)

    def quiet(self) -> None:
        """Send everything as it is, once."""
        self.forms = {}
        self.notes_in_two = 0
        self.notes_twice = self.answers_twice = self.notes_spoilt = self.answers_spoilt = 0

    def _handle_note(self, frame: bytes) -> list[bytes]:
        if self.notes_spoilt:
            self.notes_spoilt -= 1
            return [self._spoilt(frame)]
        if self.notes_twice:
            self.notes_twice -= 1
            return [frame, frame]
        if self.notes_in_two and (halves := orders_first(frame)):
            self.notes_in_two -= 1
            return halves
        return [frame]

    def _handle_answer(self, frame: bytes) -> list[bytes]:
        if self.answers_spoilt:
            self.answers_spoilt -= 1
            return [self._spoilt(frame)]
        if self.answers_twice:
            self.answers_twice -= 1
            self.doubled += 1
            return [frame, frame]
        return [frame]

    def _spoilt(self, frame: bytes) -> bytes:
        ways: tuple[Callable[[], bytes], ...] = (
            lambda: frame[: self._rng.randrange(1, len(frame))].decode(errors="ignore").encode(),
            lambda: ERROR_PAGE,
            lambda: frame.replace(b'"amount":', b'"amount":"none","was":'),
        )
        return self._rng.choice(ways)()


def _is_order_answer(frame: bytes) -> bool:
    return frame.startswith(b'{"jsonrpc":"2.0","id":') and b'"result":{"order"' in frame[:80]
