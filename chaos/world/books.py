"""The fold of the exchange's journal: live orders, position, trades, sessions and naked time.

This is the exchange's side of every comparison. The profit of a position from flat to flat is the
sum of what the exchange itself booked for its fills; nothing here computes a profit, so "equal to
the last digit" compares two independent calculations. Pure: rows in, books out.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from chaos.world.cover import REST_MS, Cover
from chaos.world.ledger import (
    AdminRow,
    BalanceRow,
    JournalRow,
    OrderRow,
    PositionRow,
    RequestRow,
    SessionRow,
    SettlementRow,
    TradeRow,
)
from chaos.world.rests import Rests
from tradebaas.core.model import LABEL_PREFIX, Role, role_of

ZERO = Decimal(0)


@dataclass(slots=True)
class Span:
    """A position from flat to flat, as the exchange booked it; ``ours`` once an entry added to it.

    ``adopted_ms`` is when the daemon took over a position of the owner's; 0: it is not one.
    ``mixed`` says that something was added after something had been taken away. ``price`` is that
    of its first fill, ``label`` that of our entry.
    """

    instrument: str
    currency: str
    opened_ms: int
    size: Decimal = ZERO
    entered: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    closed_ms: int = 0
    ours: bool = False
    reduced: bool = False
    mixed: bool = False
    price: Decimal = ZERO
    label: str = ""
    adopted_ms: int = 0
    trade_ids: list[str] = field(default_factory=list)

    @property
    def managed(self) -> bool:
        """Whether it is the daemon's to protect."""
        return self.ours or self.adopted_ms > 0

    @property
    def net(self) -> Decimal:
        return self.gross - self.fees - self.funding


@dataclass(slots=True)
class Naked:
    """A stretch in which our position was larger than what covered it. ``end_ms`` None: still.

    ``sabotage`` says that an act of the driver began it, ``lapsed`` that the market or time alone
    did: a stop fired and was refused, or an order that covers for a while found nobody to trade
    with.
    """

    start_n: int
    start_ms: int
    amount: Decimal
    end_ms: int | None = None
    sabotage: bool = False
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Bared:
    """A cancel by the daemon, at line ``n``, that left ``amount`` more of our position bare."""

    n: int
    at_ms: int
    amount: Decimal


@dataclass(slots=True)
class Session:
    """A client's connection at the exchange; ``login_n`` 0 while it has not logged in."""

    number: int
    login_n: int = 0
    login_ms: int = 0
    end_n: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An order-changing call, where it stands in the journal."""

    n: int
    at_ms: int
    row: RequestRow

    @property
    def is_entry(self) -> bool:
        """Whether it asks for an order that may add risk, by its own parameters."""
        order = self.row.method in ("private/buy", "private/sell")
        return order and not self.row.params.get("reduce_only")

    @property
    def refused(self) -> bool:
        return "error" in self.row.outcome


class Books:
    """What the journal amounts to, up to line ``n``.

    ``cash`` has each balance by currency with the exchange time since which it was so, ``held``
    each size of the position by instrument.
    ``since_ms`` is when each order became live. ``labels`` has every label of ours with the line
    that had it first, ``trades`` every fill with its line, ``logins`` the sessions as they logged
    in, ``our_spans`` those of ``spans`` that are ours; all in the journal's order. ``by_label`` has
    the requests that bear a label, a leg's too,
    ``ordered`` the labels that became an order, with its first line, ``beside`` the entries that
    were taken while a position of ours was open, with their line and what was open, ``bared`` the
    cancels by the daemon that took cover away, ``rests`` how long entries were in the book.
    ``rest_ms`` is how long, in exchange time, an exit
    of ours may rest in the book and still cover a position, ``fired_ms`` how long a stop may.
    """

    def __init__(self, rest_ms: int = REST_MS, fired_ms: int | None = None) -> None:
        self.n = 0
        self.at_ms = 0
        self.live: dict[str, OrderRow] = {}
        self.since_ms: dict[str, int] = {}
        self.labels_by_id: dict[str, str] = {}
        self.sizes: dict[str, Decimal] = {}
        self.averages: dict[str, Decimal] = {}
        self.balances: dict[str, Decimal] = {}
        self.cash: dict[str, list[tuple[int, Decimal]]] = {}
        self.settled: dict[str, Decimal] = {}
        self.held: dict[str, list[tuple[int, Decimal]]] = {}
        self.requests: list[Request] = []
        self.by_label: dict[str, list[Request]] = {}
        self.by_session: dict[int, list[Request]] = {}
        self.labels: dict[str, int] = {}
        self.ordered: dict[str, int] = {}
        self.beside: list[tuple[int, str, str]] = []
        self.sessions: dict[int, Session] = {}
        self.logins: list[Session] = []
        self.trades: dict[str, tuple[int, TradeRow]] = {}
        self.spans: list[Span] = []
        self.our_spans: list[Span] = []
        self.open_spans: dict[str, Span] = {}
        self.naked: list[Naked] = []
        self.bared: list[Bared] = []
        self.rests = Rests()
        self._cover = Cover(rest_ms, fired_ms)
        self._naked_now: dict[str, Naked] = {}
        self._gone: dict[str, tuple[int, str, Decimal]] = {}
        self._cause_from = 1

    def take(self, rows: Iterable[JournalRow]) -> None:
        """Fold more lines.

        Those of other accounts say nothing of the daemon's; a settlement moves what was booked, and
        funding, of which ``settled`` has the sums.
        """
        for row in rows:
            self._let_pass(row)
            self.n, self.at_ms = row.n, row.at_ms
            if row.account:
                continue
            if isinstance(row.body, SettlementRow):
                moved = self.settled.get(row.body.currency, ZERO)
                self.settled[row.body.currency] = moved + row.body.funding
                continue
            self._STEPS[type(row.body)](self, row)
            if isinstance(row.body, OrderRow | TradeRow | PositionRow):
                fired = isinstance(row.body, OrderRow) and row.body.order_state == "triggered"
                name = row.body.instrument_name
                self._watch_naked(row.n, row.at_ms, name, lapsed=fired)
            elif not isinstance(row.body, BalanceRow):
                self._cause_from = row.n + 1
                self._gone.clear()

    def _let_pass(self, row: JournalRow) -> None:
        """What covers for a time only ends to do so when that is over, not with the next line."""
        for moment in self._cover.ends(self.at_ms, row.at_ms + 1):
            self.at_ms = moment
            for name in self.open_spans:
                self._watch_naked(row.n, moment, name, lapsed=True)

    def adopt(self, instrument: str, at_ms: int) -> None:
        """The daemon has taken over the position that the owner held then."""
        span = self.open_spans.get(instrument)
        if span is not None and span.opened_ms < at_ms:
            span.adopted_ms = at_ms

    def forget_plans(self) -> None:
        """The daemon's log was restored: what an entry of before had planned, it may not know."""
        self._cover.forget()

    def ours_live(self) -> dict[str, OrderRow]:
        """Live orders that bear our prefix."""
        return {i: o for i, o in self.live.items() if o.is_ours}

    def foreign_live(self) -> dict[str, OrderRow]:
        """Live orders of the account's owner."""
        return {i: o for i, o in self.live.items() if not o.is_ours}

    def requests_after(self, n: int) -> list[Request]:
        """The order-changing calls after line ``n``."""
        return self.requests[bisect_right(self.requests, n, key=lambda request: request.n) :]

    def size(self, instrument: str) -> Decimal:
        """The net position by the exchange's own rows."""
        return self.sizes.get(instrument, ZERO)

    def held_since(self, instrument: str, at_ms: int) -> set[Decimal]:
        """Every size that the position has had from exchange time ``at_ms`` on, and just before."""
        history = self.held.get(instrument, [])
        later = bisect_left(history, at_ms, key=lambda entry: entry[0])
        before = history[later - 1][1] if later else ZERO
        return {before, *(size for _, size in history[later:])}

    def uncovered(self, instrument: str) -> Decimal:
        """How much of our position nothing covers now (``cover``)."""
        span = self.open_spans.get(instrument)
        if span is None or not span.managed:
            return ZERO
        covered = self._cover.amount(span, self.live.values(), self.at_ms)
        return max(abs(span.size) - covered, ZERO)

    # ---------------------------------------------------------------------------------- the steps

    def _order(self, row: JournalRow) -> None:
        order = row.body
        assert isinstance(order, OrderRow)
        self._note_label(order.label, row.n)
        parent = self.labels_by_id.get(order.trigger_order_id or "", "")
        self.labels_by_id[order.order_id] = order.label or parent  # a child may bear no label
        self._note_ordered(order.label, row.n)
        went = order.order_state == "cancelled" and order.order_id in self.live
        before = self.uncovered(order.instrument_name) if went else ZERO
        self._cover.note(order, row.at_ms)
        self.rests.note(row.n, row.at_ms, order)
        if order.live:
            self.since_ms.setdefault(order.order_id, row.at_ms)
            self.live[order.order_id] = order
        else:
            self.live.pop(order.order_id, None)
        if went:
            grown = self.uncovered(order.instrument_name) - before
            self._gone[order.order_id] = row.at_ms, order.instrument_name, grown

    def _note_ordered(self, label: str, n: int) -> None:
        """An entry's own fills are told after its order, so what is open then is older."""
        if label.startswith(LABEL_PREFIX) and label not in self.ordered:
            self.ordered[label] = n
            if role_of(label) is Role.ENTRY:
                ours = [span for span in self.open_spans.values() if span.managed]
                self.beside += [(n, label, f"{s.size} {s.instrument} was open") for s in ours]

    def _trade(self, row: JournalRow) -> None:
        trade = row.body
        assert isinstance(trade, TradeRow)
        self.trades[trade.key] = row.n, trade
        name = trade.instrument_name
        signed = trade.amount if trade.direction == "buy" else -trade.amount
        span = self.open_spans.get(name)
        rest = ZERO
        if span is not None and (span.size > 0) != (signed > 0) and abs(signed) > abs(span.size):
            rest = signed + span.size  # it crosses zero: the rest opens a new span, without fees
            signed = -span.size
        self._book(name, trade, signed, trade.fee, trade.profit_loss)
        if rest:
            self._book(name, trade, rest, ZERO, ZERO)

    def _book(
        self, name: str, trade: TradeRow, signed: Decimal, fee: Decimal, profit: Decimal
    ) -> None:
        span = self.open_spans.get(name)
        if span is None:
            span = Span(name, trade.fee_currency, trade.timestamp, price=trade.price)
            self.open_spans[name] = span
        if span.size == 0 or (span.size > 0) == (signed > 0):
            span.entered += abs(signed)
            span.mixed = span.mixed or span.reduced
            if role_of(trade.label) is Role.ENTRY:
                span.ours, span.label = True, trade.label
        else:
            span.reduced = True
        span.size += signed
        span.fees += fee
        span.gross += profit
        span.trade_ids.append(trade.trade_id)
        if span.size == 0:
            span.closed_ms = trade.timestamp
            self.spans.append(self.open_spans.pop(name))
            self._cover.over(name)
            self.our_spans += [span] if span.ours else []

    def _position(self, row: JournalRow) -> None:
        position = row.body
        assert isinstance(position, PositionRow)
        self.held.setdefault(position.instrument_name, []).append((row.at_ms, position.size))
        self.sizes[position.instrument_name] = position.size
        self.averages[position.instrument_name] = position.average_price

    def _balance(self, row: JournalRow) -> None:
        balance = row.body
        assert isinstance(balance, BalanceRow)
        self.cash.setdefault(balance.currency, []).append((row.at_ms, balance.balance))
        self.balances[balance.currency] = balance.balance

    def _session(self, row: JournalRow) -> None:
        body = row.body
        assert isinstance(body, SessionRow)
        session = self.sessions.setdefault(body.session, Session(body.session))
        if body.event == "login":
            session.login_n, session.login_ms = row.n, row.at_ms
            self.logins.append(session)
        elif body.event == "disconnect":
            session.end_n, session.end_ms = row.n, row.at_ms

    def _request(self, row: JournalRow) -> None:
        body = row.body
        assert isinstance(body, RequestRow)
        request = Request(row.n, row.at_ms, body)
        self.requests.append(request)
        self.by_session.setdefault(body.session, []).append(request)
        for label in body.labels:
            self.by_label.setdefault(label, []).append(request)
            self._note_label(label, row.n)
        if body.method == "private/cancel" and not request.refused:
            self._note_bared(row, str(body.params.get("order_id")))

    def _note_bared(self, row: JournalRow, order_id: str) -> None:
        """What the order's going laid bare counts unless the position was closed with it."""
        at_ms, instrument, grown = self._gone.get(order_id, (0, "", ZERO))
        amount = min(grown, self.uncovered(instrument))
        if at_ms == row.at_ms and amount > 0:
            self.bared.append(Bared(row.n, row.at_ms, amount))

    def _note_label(self, label: str, n: int) -> None:
        if label.startswith(LABEL_PREFIX):
            self.labels.setdefault(label, n)

    def _admin(self, row: JournalRow) -> None:
        """What a driver's act changed was journalled just before the act itself, at its time."""
        for naked in self._naked_now.values():
            if naked.start_n >= self._cause_from and naked.start_ms == row.at_ms:
                naked.sabotage = True

    def _watch_naked(self, n: int, at_ms: int, instrument: str, *, lapsed: bool = False) -> None:
        now = self._naked_now.get(instrument)
        uncovered = self.uncovered(instrument)
        if uncovered > 0 and now is None:
            self._naked_now[instrument] = Naked(n, at_ms, uncovered, lapsed=lapsed)
        elif uncovered == 0 and now is not None:
            now = self._naked_now.pop(instrument)
            now.end_ms = at_ms
            if now.end_ms > now.start_ms:
                self.naked.append(now)

    def naked_all(self) -> list[Naked]:
        """All naked stretches, those that still go on included."""
        return [*self.naked, *self._naked_now.values()]

    _STEPS: dict[type, Callable[["Books", JournalRow], None]] = {  # noqa: RUF012 - a table
        OrderRow: _order,
        TradeRow: _trade,
        PositionRow: _position,
        BalanceRow: _balance,
        SessionRow: _session,
        RequestRow: _request,
        AdminRow: _admin,
    }
