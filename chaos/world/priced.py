"""Part of invariant 5, bounded: an entry is made by the prices of its moment, and no worse.

Held against what the exchange itself had told the entry's own connection: its journal says it with
the entry. At the moment of the decision, by the daemon's own word in the log, some price must have
been told that was not older than the configuration allows; and the limit may be worse than the
worst of those by the slippage and the rounding to a tick, no more. What was told may have come
late or never, so this asks for less than the daemon should keep, and for nothing that it need not.
Pure.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from chaos.world.books import Books, Request
from chaos.world.bounded import Bounds, is_our_entry
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation, request_line
from chaos.world.story import Story

TICK = Fraction(1, 2)
"""Of either contract."""


def judgeable(books: Books, since: Mark = START) -> list[Request]:
    """The entries of ours of which the journal says what their connection was told."""
    fresh = books.requests_after(since.n)
    return [r for r in fresh if is_our_entry(r) and r.row.told is not None]


def priced(books: Books, story: Story, bounds: Bounds, since: Mark = START) -> list[Violation]:
    """Entries on old prices, and beyond the slippage."""
    found = []
    for request in judgeable(books, since):
        label = request.row.label
        for what, text in _amiss(story, bounds, request):
            line = f"{request_line(request)}, told {request.row.told}"
            found.append(Violation("bounded", f"{what} {label}", f"entry {label}: {text}", (line,)))
    return found


def _amiss(story: Story, bounds: Bounds, request: Request) -> Iterator[tuple[str, str]]:
    """(what, text) of what is wrong with its price."""
    told, intent = request.row.told or [], story.intents.get(request.row.label)
    at_ms = request.at_ms if intent is None else intent.intended_ms
    allowed_ms = int(bounds.price_age_ms * bounds.rate)
    worst = next((price for told_ms, price in told if told_ms >= at_ms - allowed_ms), None)
    if worst is None:
        age = f"the last was {at_ms - told[-1][0]} ms old" if told else "no price was ever told"
        yield "old", f"decided at {at_ms} on old prices: {age}, {allowed_ms} are allowed"
        return
    limit = request.row.params.get("price")
    sign = 1 if request.row.method == "private/buy" else -1
    farthest = _farthest(worst, bounds.slippage_percent, sign)
    if limit is not None and sign * Fraction(str(limit)) > sign * farthest:
        text = (
            f"its limit is {limit}, {float(farthest)} is {bounds.slippage_percent} % from {worst}"
        )
        yield "slippage", f"{text}, the worst that it may have seen"


def _farthest(price: Decimal, slippage_percent: Decimal, sign: int) -> Fraction:
    """The worst limit: so far from the price, rounded away from it, and never below a tick."""
    slipped = Fraction(price) * (1 + sign * Fraction(slippage_percent) / 100) / TICK
    return TICK * max(ceil(slipped) if sign > 0 else floor(slipped), 1)
