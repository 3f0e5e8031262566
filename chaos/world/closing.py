"""Part of invariant 8, alive: what an answered command closes is closed once all is well again.

A halt, a close and a stop with one close whatever is open, and whatever an entry that is on its way
may yet open; both have an entry that was intended before the answer. While a halt lasts, nothing of
ours may stay open at all, even if nobody knew of it when the halt came. Whatever dies meanwhile,
that position is still to be ended. How long that may take while the exchange or the network is ill
nobody can say, so this only names what is owed; the driver asks for it when nothing goes wrong any
more, and gives the daemon a little time. It is no matter of the gate, which only keeps risk out.
Pure.
"""

from chaos.world.books import Books, Span
from chaos.world.oracle import Violation, Witness
from chaos.world.story import Story


def owed(books: Books, story: Story, witness: Witness) -> list[Violation]:
    """Positions of ours that are open, though something has been said that ends them."""
    found = []
    for span in books.open_spans.values():
        why = _why_it_ends(span, story, witness) if span.ours else ""
        if why:
            text = f"{why}, and the position of {span.label} is still open: {span.size}"
            found.append(Violation("alive", f"close {span.label}", text))
    return found


def _why_it_ends(span: Span, story: Story, witness: Witness) -> str:
    """The halt or the command that ends a position of ours; "" when it may stay."""
    latch = story.state.halted
    if latch is not None:
        return f"it is halted by {latch.by}"
    intended = story.intent_seqs.get(span.label)
    if intended is None:
        return ""
    close = next((close for close in witness.closes if close.seq >= intended), None)
    return "" if close is None else f"{close.what} was answered with seq {close.seq}"
