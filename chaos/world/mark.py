"""How far two ledgers were judged: so that a long campaign judges each line once.

A judgement of everything known costs more with every round; one since a mark costs what the round
itself brought. The marks count what the ledgers keep in order, and what is kept apart of what came
before (which labels were seen, who owns a session) lies in ``Books`` and ``Story``. A judgement
since ``START`` is one of everything. Pure.
"""

from dataclasses import dataclass

from chaos.world.books import Books
from chaos.world.story import Story


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything up to here was judged: the journal's line ``n``, and so many of each list.

    ``spans`` and ``trades`` stand before the first pair that was not compared; they differ when the
    log was restored from a backup. A naked stretch, and the rest of an entry, is judged anew until
    it has ended.
    """

    n: int = 0
    naked: int = 0
    bared: int = 0
    rests: int = 0
    spans: int = 0
    trades: int = 0
    causes: int = 0
    ungated: int = 0
    missed: int = 0
    halts: int = 0
    unarmed: int = 0
    denied: int = 0


START = Mark()
"""Nothing was judged yet."""


def mark(books: Books, story: Story, last: Mark = START) -> Mark:
    """Where both ledgers are now; ``last`` is the mark before."""
    pairs = min(len(books.our_spans) - last.spans, len(story.trades) - last.trades)
    return Mark(
        n=books.n,
        naked=len(books.naked),
        bared=len(books.bared),
        rests=len(books.rests.ended),
        spans=last.spans + pairs,
        trades=last.trades + pairs,
        causes=len(story.causes),
        ungated=len(story.ungated),
        missed=len(story.missed),
        halts=len(story.daemon_halts),
        unarmed=len(story.unarmed),
        denied=len(story.denied),
    )
