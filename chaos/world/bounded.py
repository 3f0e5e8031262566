"""Invariant 5, bounded: no entry at the exchange exceeds what the owner allows.

Judged from what reached the exchange and what the exchange booked, by arithmetic of its own in
exact fractions: the daemon's sizing is never asked, for it is what is on trial. The equity of an
entry is the account's cash, since no position may be open when one is intended; of all amounts of
cash that the daemon may have known of then, the largest counts. Pure.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice, takewhile
from operator import itemgetter

from chaos.world.books import Books, Request, Span
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation
from chaos.world.story import Story
from tradebaas.core.model import LABEL_PREFIX

DAY_MS = 86_400_000
MOVE = Fraction(1, 100)
"""By so much the market may move while an order is on its way: filled better, it is worth more."""
VALID_REAL_MS = 200
"""An order is good for so long at least in the daemon's time, however fast the exchange's runs."""
SETTLED_IN = {"BTC-PERPETUAL": "BTC", "BTC_USDC-PERPETUAL": "USDC"}
INVERSE = {"BTC-PERPETUAL"}
"""Contracts whose amount is in dollars and whose profit is in coin."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the owner allows; percentages are of equity, ``max_amount`` in the contract's unit.

    ``started`` is the account's cash by currency before the journal's first line. ``grace_ms`` is
    how long, in exchange time, news may take to reach the daemon, and by how much its clock errs.
    ``rate`` is how many exchange ms pass in one of the daemon's, in which ``price_age_ms`` is.
    """

    started: dict[str, Decimal]
    risk_percent: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(5)
    max_amount: Decimal | None = None
    max_entries_per_day: int = 200
    max_daily_loss_percent: Decimal = Decimal(5)
    slippage_percent: Decimal = Decimal("0.05")
    price_age_ms: int = 5_000
    validity_ms: int = 2_000
    grace_ms: int = 0
    rate: Decimal = Decimal(1)

    @classmethod
    def of(
        cls, configuration: str, started: dict[str, Decimal], grace_ms: int = 0,
        rate: Decimal = Decimal(1),
    ) -> "Bounds":  # fmt: skip
        """The bounds that a daemon's configuration file says; what it leaves out is the default."""
        risk = tomllib.loads(configuration, parse_float=Decimal).get("risk", {})
        usual = cls(started)
        most = risk.get("max_amount")
        return cls(
            started,
            risk_percent=Decimal(risk.get("risk_percent", usual.risk_percent)),
            max_leverage=Decimal(risk.get("max_leverage", usual.max_leverage)),
            max_amount=None if most is None else Decimal(most),
            max_entries_per_day=int(risk.get("max_entries_per_day", usual.max_entries_per_day)),
            max_daily_loss_percent=Decimal(
                risk.get("max_daily_loss_percent", usual.max_daily_loss_percent)
            ),
            slippage_percent=Decimal(risk.get("slippage_percent", usual.slippage_percent)),
            price_age_ms=int(risk.get("price_age_ms", usual.price_age_ms)),
            validity_ms=int(risk.get("validity_ms", usual.validity_ms)),
            grace_ms=grace_ms,
            rate=rate,
        )

    @property
    def patience_ms(self) -> int:
        """How long, in exchange time, an entry is good: as configured, or what it takes to send."""
        return max(self.validity_ms, int(VALID_REAL_MS * self.rate))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry as it was asked for. ``filled`` is the average price of what it filled at once."""

    request: Request
    instrument: str
    amount: Fraction
    price: Fraction | None
    stop: Fraction | None
    filled: Fraction | None
    intended_ms: int

    @property
    def day(self) -> int:
        return self.intended_ms // DAY_MS


def bounded(books: Books, story: Story, bounds: Bounds, since: Mark = START) -> list[Violation]:
    """Entries beyond the size, the leverage, the loss at the stop or the day's allowances."""
    found = []
    for request in books.requests_after(since.n):
        if not is_our_entry(request):
            continue
        entry = _entry(story, request)
        for what, text in _exceeded(books, story, bounds, entry):
            label = request.row.label
            line = f"journal line {request.n} at {request.at_ms}: {request.row.params}"
            found.append(Violation("bounded", f"{what} {label}", f"entry {label}: {text}", (line,)))
    return found


def is_our_entry(request: Request) -> bool:
    """Whether it asks for an order of ours that may add risk."""
    return request.is_entry and request.row.label.startswith(LABEL_PREFIX)


def _entry(story: Story, request: Request) -> _Entry:
    row = request.row
    order = row.outcome.get("order")
    filled = _number(order, "average_price") if isinstance(order, dict) else None
    legs = row.params.get("otoco_config")
    triggers = [_number(leg, "trigger_price") for leg in legs] if isinstance(legs, list) else []
    intent = story.intents.get(row.label)
    return _Entry(
        request,
        str(row.params.get("instrument_name")),
        _number(row.params, "amount") or Fraction(0),
        _number(row.params, "price"),
        next(filter(None, triggers), None),
        filled or None,
        request.at_ms if intent is None else intent.intended_ms,
    )


def _number(values: dict[str, object], name: str) -> Fraction | None:
    value = values.get(name)
    return None if value is None else Fraction(str(value))


def _exceeded(
    books: Books, story: Story, bounds: Bounds, entry: _Entry
) -> Iterator[tuple[str, str]]:
    """(what, text) of every bound that an entry exceeds."""
    currency = SETTLED_IN.get(entry.instrument)
    if currency is None or entry.price is None or entry.stop is None:
        yield "open", "without a known contract, a price and a stop it has no bound at all"
        return
    equity = _equity(books, bounds, entry, currency)
    yield from _too_large(bounds, entry, entry.price, entry.stop, equity)
    entries = sum(1 for _ in _same_day(books, story, entry))
    if entries > bounds.max_entries_per_day:
        yield "rate", f"number {entries} of its day, {bounds.max_entries_per_day} are allowed"
    lost, allowed = (
        _lost(books, story, entry, currency),
        _part(equity, bounds.max_daily_loss_percent),
    )
    if lost > 0 and lost >= allowed:
        yield "day", f"after a loss of {_told(lost)} {currency} that day, {_told(allowed)} allowed"


def _too_large(
    bounds: Bounds, entry: _Entry, price: Fraction, stop: Fraction, equity: Fraction
) -> Iterator[tuple[str, str]]:
    if bounds.max_amount is not None and entry.amount > Fraction(bounds.max_amount):
        yield "size", f"{_told(entry.amount)} is more than {bounds.max_amount}"
    filled = _worth(entry, entry.filled or price) / (1 + MOVE)
    worth = max(_worth(entry, price), filled)
    if worth > equity * Fraction(bounds.max_leverage):
        text = f"worth {_told(worth)} with {_told(equity)} of equity, above {bounds.max_leverage}x"
        yield "leverage", text
    loss, allowed = _loss(entry, price, stop), _part(equity, bounds.risk_percent)
    if loss <= 0:
        yield "stop", f"its stop at {_told(stop)} is on the wrong side of {_told(price)}"
    if loss > allowed:
        yield "risk", f"loses {_told(loss)} at its stop, {_told(allowed)} are allowed"


# ---------------------------------------------------------------------------------- the arithmetic


def _worth(entry: _Entry, price: Fraction) -> Fraction:
    """What the amount is worth at a price, in the settlement currency."""
    inverse = entry.instrument in INVERSE
    return entry.amount / price if inverse else entry.amount * price


def _loss(entry: _Entry, price: Fraction, stop: Fraction) -> Fraction:
    """What is lost from the price to the stop, before fees; negative if that is a gain."""
    gain = _worth(entry, stop) - _worth(entry, price)  # of a linear long
    long = entry.request.row.method == "private/buy"
    return gain if long == (entry.instrument in INVERSE) else -gain


def _part(equity: Fraction, percent: Decimal) -> Fraction:
    return equity * Fraction(percent) / 100


def _equity(books: Books, bounds: Bounds, entry: _Entry, currency: str) -> Fraction:
    """The most cash that the daemon may have known of when it decided."""
    history = books.cash.get(currency, [])
    then = bisect_right(history, entry.intended_ms - bounds.grace_ms, key=itemgetter(0))
    now = bisect_right(history, entry.intended_ms + bounds.grace_ms, key=itemgetter(0))
    before = history[then - 1][1] if then else bounds.started.get(currency, Decimal(0))
    return Fraction(max([before, *(balance for _, balance in history[then:now])]))


def _same_day(books: Books, story: Story, entry: _Entry) -> Iterator[Request]:
    """Entries of ours that were intended on the same day, up to this one, the latest first."""
    later = len(books.requests_after(entry.request.n))
    earlier = islice(reversed(books.requests), later, None)
    first_ms = entry.day * DAY_MS  # none arrives before it was intended
    for request in takewhile(lambda r: r.at_ms >= first_ms, earlier):
        if is_our_entry(request) and _entry(story, request).day == entry.day:
            yield request


def _lost(books: Books, story: Story, entry: _Entry, currency: str) -> Fraction:
    """What our positions that closed on the day lost until the decision, net of fees, and of the
    funding that had been read by then."""
    read_ms = story.funding_read.get(entry.request.row.label, 0)
    closed = takewhile(
        lambda span: span.closed_ms >= entry.day * DAY_MS, reversed(books.our_spans)
    )  # fmt: skip
    nets = (
        Fraction(span.net if span.closed_ms <= read_ms else _before_funding(span))
        for span in closed
        if span.currency == currency and span.closed_ms <= entry.intended_ms
    )
    taken = (
        Fraction(trade.net)
        for trade in story.adopted
        if trade.currency == currency and trade.closed_ms // DAY_MS == entry.day
    )
    return -sum(nets, Fraction(0)) - sum(taken, Fraction(0))


def _before_funding(span: Span) -> Decimal:
    """What it has brought at most, if nobody has read its funding."""
    return span.net + max(span.funding, Decimal(0))


def _told(value: Fraction) -> str:
    return f"{float(value):.8g}"
