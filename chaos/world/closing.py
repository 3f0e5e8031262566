"""Part of invariant 8, alive: what an answered command closes is closed once all is well again.

A halt, a close and a stop with one close whatever is open, and whatever an entry that is on its way
may yet open; both have an entry that was intended before the answer. Whatever dies meanwhile, that
position is still to be ended. How long that may take while the exchange or the network is ill
nobody can say, so this only names what is owed; the driver asks for it when nothing goes wrong any
more, and gives the daemon a little time. It is no matter of the gate, which only keeps risk out.
Pure.
"""

from chaos.world.books import Books
from chaos.world.oracle import Violation, Witness
from chaos.world.story import Story


def owed(books: Books, story: Story, witness: Witness) -> list[Violation]:
    """Positions of ours that are open, though a command has been answered that ends them."""
    found = []
    for span in books.open_spans.values():
        intended = story.intent_seqs.get(span.label)
        if not span.ours or intended is None:
            continue
        close = next((close for close in witness.closes if close.seq >= intended), None)
        if close is not None:
            what = f"{close.what} was answered with seq {close.seq}"
            text = f"{what}, and the position of {span.label} is still open: {span.size}"
            evidence = (f"event {intended}: the entry was intended",)
            found.append(Violation("alive", f"close {span.label}", text, evidence))
    return found
