"""Frames on their way out of the exchange: sent twice, spoilt, or dressed as no sample shows them.

``Mail.post`` stands between the exchange's server and whatever carries the frames (``deliver``:
the connection itself, or a simulation's own post with its delays). It never reorders: that is the
carrier's business, and ``exchange.lane`` still reads a frame that went through here.
"""

from collections.abc import Callable
from random import Random

from chaos.world.exchange import lane
from chaos.world.faults_dress import dressed
from tradebaas.paper.server import Connection, Post

ERROR_PAGE = b"<html><head><title>502 Bad Gateway</title></head></html>"


class Mail:
    """One post office; it lives as long as the simulation, the exchange may die meanwhile."""

    def __init__(self, rng: Random, deliver: Post = Connection.put) -> None:
        self.forms: dict[str, bool] = {}
        """The names of the forms (``faults_dress``) that frames are dressed in."""
        self.notes_twice = 0
        self.answers_twice = 0
        self.notes_spoilt = 0
        self.answers_spoilt = 0
        self._rng = rng
        self._deliver = deliver

    def post(self, connection: Connection, frame: bytes) -> None:
        """A ``Post`` for the server."""
        where = lane(frame)
        if self.forms:
            frame = dressed(frame, self.forms, self._rng)
        if _is_order_answer(frame):
            frame, twice = self._handle_answer(frame)
        elif where.startswith("user."):
            frame, twice = self._handle_note(frame)
        else:
            twice = False
        for _ in range(1 + twice):
            self._deliver(connection, frame)

    def quiet(self) -> None:
        """Send everything as it is, once."""
        self.forms = {}
        self.notes_twice = self.answers_twice = self.notes_spoilt = self.answers_spoilt = 0

    def _handle_note(self, frame: bytes) -> tuple[bytes, bool]:
        if self.notes_spoilt:
            self.notes_spoilt -= 1
            return self._spoilt(frame), False
        if self.notes_twice:
            self.notes_twice -= 1
            return frame, True
        return frame, False

    def _handle_answer(self, frame: bytes) -> tuple[bytes, bool]:
        if self.answers_spoilt:
            self.answers_spoilt -= 1
            return self._spoilt(frame), False
        if self.answers_twice:
            self.answers_twice -= 1
            return frame, True
        return frame, False

    def _spoilt(self, frame: bytes) -> bytes:
        ways: tuple[Callable[[], bytes], ...] = (
            lambda: frame[: self._rng.randrange(1, len(frame))].decode(errors="ignore").encode(),
            lambda: ERROR_PAGE,
            lambda: frame.replace(b'"amount":', b'"amount":"none","was":'),
        )
        return self._rng.choice(ways)()


def _is_order_answer(frame: bytes) -> bool:
    return frame.startswith(b'{"jsonrpc":"2.0","id":') and b'"result":{"order"' in frame[:80]
