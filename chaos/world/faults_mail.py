"""Frames on their way out of the exchange: sent twice or in two, spoilt, or in an odd dress.

``Mail.post`` stands between the exchange's server and whatever carries the frames (``deliver``:
the connection itself, or a simulation's own post with its delays). It never reorders: that is the
carrier's business, and ``exchange.lane`` still reads a frame that went through here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from chaos.world.exchange import lane
from chaos.world.faults_dress import dressed, orders_first
from tradebaas.paper.connections import Connection, Post

ERROR_PAGE = b"<html><head><title>502 Bad Gateway</title></head></html>"


def _untold() -> None:
    """Nobody counts."""


@dataclass(slots=True)
class Armed:
    """What befalls the next ``left`` frames of a kind; ``struck`` is told of each."""

    left: int = 0
    struck: Callable[[], None] = _untold

    def strikes(self) -> bool:
        """Whether it befalls this frame; then it is counted."""
        if not self.left:
            return False
        self.left -= 1
        self.struck()
        return True


class Mail:
    """One post office; it lives as long as the simulation, the exchange may die meanwhile."""

    def __init__(self, rng: Random, deliver: Post = Connection.put) -> None:
        self.forms: dict[str, Callable[[], None]] = {}
        """The names of the forms (``faults_dress``) that frames are dressed in, each with who is
        told when a first frame has another form by it."""
        self._end_all()
        self.doubled = 0
        """How many answers have been sent twice."""
        self._rng = rng
        self._deliver = deliver

    def post(self, connection: Connection, frame: bytes) -> None:
        """A ``Post`` for the server."""
        where = lane(frame)
        if self.forms:
            frame = dressed(frame, self.forms, self._rng, self._worn)
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
        self._end_all()

    def _end_all(self) -> None:
        self.notes_twice = Armed()
        self.notes_in_two = Armed()
        self.answers_twice = Armed()
        self.notes_spoilt = Armed()
        self.answers_spoilt = Armed()

    def _worn(self, form: str) -> None:
        """A frame has another form by this one."""
        self.forms[form]()
        self.forms[form] = _untold

    def _handle_note(self, frame: bytes) -> list[bytes]:
        if self.notes_spoilt.strikes():
            return [self._spoilt(frame)]
        if self.notes_twice.strikes():
            return [frame, frame]
        halves = orders_first(frame) if self.notes_in_two.left else []
        return halves if halves and self.notes_in_two.strikes() else [frame]

    def _handle_answer(self, frame: bytes) -> list[bytes]:
        if self.answers_spoilt.strikes():
            return [self._spoilt(frame)]
        if self.answers_twice.strikes():
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
