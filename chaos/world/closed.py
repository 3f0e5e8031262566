"""Invariant 7, fail closed: without ground under its feet the daemon trades nothing.

Two things count as ground: a connection through which this life has read the account, by a fold of
the judge's own, and a log that commits. When commits failed, or the exchange answered nothing, only
the driver knows, for it did that; it notes the stretch as an outage, and from then on nothing may
arrive that was decided after it began. What had been committed before may still be on its way, and
so may whatever reduces risk.

What was held against it are those stretches, not the entries of fair weather: the outages, and the
times from a lost connection to the next login, over each of which nothing may have been decided.
Pure.
"""

from chaos.world.books import Books, Request
from chaos.world.mark import START, Mark
from chaos.world.oracle import HaltWindow, Violation, Witness
from chaos.world.story import Story
from tradebaas.core.model import LABEL_PREFIX


def fail_closed(
    books: Books, story: Story, witness: Witness, since: Mark = START
) -> list[Violation]:
    """Entries that reached the exchange without a reconciled connection, or over an outage."""
    found = []
    for request in books.requests_after(since.n):
        label = request.row.label
        if not request.is_entry or not label.startswith(LABEL_PREFIX):
            continue
        lacking = story.groundless.get(label, "")
        if lacking:
            text = f"entry {label} reached the exchange, and was intended though: {lacking}"
            found.append(_violation("ground", request, text))
        if any(_falls_into(books, story, request, outage) for outage in witness.outages):
            text = f"entry {label} was decided and reached the exchange while nothing could be kept"
            found.append(_violation("outage", request, text))
    return found


def without_ground(books: Books, witness: Witness, since: Mark = START) -> int:
    """How many stretches without ground there were: 0 where nothing was ever out."""
    again = sum(session.login_n > since.n for session in books.logins[1:])
    return again + sum(outage.first_n >= since.n for outage in witness.outages)


def _falls_into(books: Books, story: Story, request: Request, outage: HaltWindow) -> bool:
    """Whether it arrived within the outage, and was committed after it began or never."""
    last = books.n if outage.last_n is None else outage.last_n
    seq = story.intent_seqs.get(request.row.label)
    return outage.first_n < request.n <= last and (seq is None or seq > outage.seq)


def _violation(what: str, request: Request, text: str) -> Violation:
    row = request.row
    line = f"journal line {request.n} at {request.at_ms}: {row.method} in session {row.session}"
    return Violation("fail closed", f"{what} {row.label}", text, (line,))
