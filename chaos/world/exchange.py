"""What the embedded exchange needs in order to run inside a simulation.

``MemoryJournal`` stands where the SQLite journal stands in production: it survives the death of the
exchange that writes it, never the simulation. What it remembers is kept as encoded bytes, so that
an exchange that starts again has objects of its own, as after a real restart. Its lines are read
with the judge's own code.
"""

from bisect import bisect_right
from collections import deque
from operator import attrgetter

import msgspec

from chaos.world.ledger import JournalRow, journal_row
from chaos.world.statements import Statement
from tradebaas.paper.desk import Fill
from tradebaas.paper.ledger import Left
from tradebaas.paper.orders import Order
from tradebaas.paper.recorder import Record, Step
from tradebaas.paper.saved import MAIN, SavedState
from tradebaas.paper.transactions import Transaction

_HEARTBEAT = b'{"jsonrpc":"2.0","method":"heartbeat"'
_CHANNEL = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
_SLACK = 2


class MemoryJournal:
    """A ``paper.ledger.Ledger`` in memory. ``lines`` may be cut off by whoever has read them.

    ``remembered`` is how many ended orders, trades and transactions it keeps, as in the settings.
    """

    def __init__(self, remembered: int) -> None:
        self.statements: list[Statement] = []
        self.lines: list[Record] = []
        self._remembered = remembered
        self._state: bytes | None = None
        self._live: dict[str, bytes] = {}
        self._ended: dict[str, bytes] = {}
        self._fills: deque[bytes] = deque(maxlen=remembered)
        self._transactions: deque[bytes] = deque(maxlen=remembered)

    def load(self, count: int) -> Left:
        """See ``Ledger.load``."""
        state = None
        if self._state is not None:
            state = msgspec.json.decode(self._state, type=SavedState)
        kept = [*self._live.values(), *list(self._ended.values())[-count:]]
        orders = [msgspec.json.decode(body, type=Order) for body in kept]
        fills = [msgspec.json.decode(body, type=Fill) for body in list(self._fills)[-count:]]
        last = list(self._transactions)[-count:]
        rows = [msgspec.json.decode(body, type=Transaction) for body in last]
        return Left(state, sorted(orders, key=attrgetter("number")), fills, rows)

    def commit(self, step: Step, state: SavedState) -> None:
        """See ``Ledger.commit``."""
        self.lines += step.records
        for order in step.orders:
            body = msgspec.json.encode(order)
            if order.is_live:
                self._live[order.order_id] = body
            else:
                self._live.pop(order.order_id, None)
                self._ended[order.order_id] = body
        self._fills += [msgspec.json.encode(fill) for fill in step.fills]
        told = [msgspec.json.encode(row) for row in step.transactions]
        self._transactions += told
        main = next(account.user_id for account in state.accounts if account.name == MAIN)
        rows = (msgspec.json.decode(row, type=Statement) for row in told)
        self.statements += [row for row in rows if row.user_id == main]
        self._state = msgspec.json.encode(state)
        if len(self._ended) > _SLACK * self._remembered:
            self._ended = dict(list(self._ended.items())[-self._remembered :])

    def rows(self, after_n: int) -> list[JournalRow]:
        """The lines after number ``after_n``, as a judge reads them."""
        first = bisect_right(self.lines, after_n, key=attrgetter("n"))
        return [journal_row(r.n, r.at_ms, r.kind, r.body) for r in self.lines[first:]]


def lane(frame: bytes) -> str:
    """What keeps its order on the wire: a channel's notifications do, and heartbeats.

    Answers are in no lane (""): they may overtake each other and everything else. So may a frame
    that is cut off within the channel's name.
    """
    if frame.startswith(_CHANNEL):
        name, quote, _ = frame[len(_CHANNEL) :].partition(b'"')
        return name.decode(errors="replace") if quote else ""
    return "heartbeat" if frame.startswith(_HEARTBEAT) else ""
