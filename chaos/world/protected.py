"""Invariant 4, protected: no position of ours is without cover for longer than the limit, nor is
one laid bare by a cancel of the daemon's own.

All time is the exchange's own. What a daemon brought about counts from its beginning to its end,
whoever was there. What the driver brought about, or time alone (a stop that fired and found nobody
to trade with), counts while a daemon was there that had read the
account since, or while it happened: in sum, however often the connection went in between. Pure.
"""

from collections.abc import Sequence

from chaos.world.books import Bared, Books, Naked
from chaos.world.mark import START, Mark
from chaos.world.oracle import Violation
from chaos.world.skew import Leap
from chaos.world.story import Story
from chaos.world.windows import Windows


def protected(
    books: Books, story: Story, now_ms: int, limit_ms: int, since: Mark = START,
    sabotage_ms: int | None = None, leaps: Sequence[Leap] = (),
) -> list[Violation]:  # fmt: skip
    """Naked stretches beyond the limit, and cancels that took cover away, however short that was.

    ``sabotage_ms`` is the limit of what a daemon did not bring about, where news of that may be
    late; else it is the same.
    ``leaps`` of the exchange's clock are no time in which anybody could have done anything.
    """
    judged = books.naked_all()[since.naked :]
    windows = Windows(books, story, now_ms) if any(map(_befell, judged)) else None
    found = [_bared(cancel) for cancel in books.bared[since.bared :]]
    for naked in judged:
        end = now_ms if naked.end_ms is None else naked.end_ms
        spent, limit, how = end - naked.start_ms, limit_ms, "by itself"
        if windows is not None and _befell(naked):
            spent = windows.shared(naked.start_ms, end)
            limit = limit_ms if sabotage_ms is None else sabotage_ms
            how = "after sabotage" if naked.sabotage else "with a daemon there"
        spent -= sum(leap.within(naked.start_ms, end) for leap in leaps)
        if spent > limit:
            text = (
                f"{naked.amount} naked for {spent} ms of exchange time ({how}), "
                f"the limit is {limit}"
            )
            found.append(Violation("protected", f"naked {naked.start_n}", text, (_line(naked),)))
    return found


def _befell(naked: Naked) -> bool:
    """Whether it came about without the daemon."""
    return naked.sabotage or naked.lapsed


def _bared(cancel: Bared) -> Violation:
    """However short that was: nobody cancels the stop of what is still open."""
    text = f"the daemon itself cancelled the stop of {cancel.amount}, which was still open"
    line = f"journal line {cancel.n} at {cancel.at_ms}: private/cancel"
    return Violation("protected", f"cancelled {cancel.n}", text, (line,))


def _line(naked: Naked) -> str:
    return f"journal line {naked.start_n}: naked from {naked.start_ms} to {naked.end_ms}"
