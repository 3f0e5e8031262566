"""Where the connection is cut, when it is cut at a frame; the process lives on.

    before  nothing of the frame gets through
    inside  the first half of it does
    after   all of it does, and nothing that follows

At a send that is what gets to the exchange: of an order that was cut before or inside nothing is
executed, of one that was cut after the answer is lost. At a receive it is what gets to the daemon.
Either way what the daemon sent before arrives, and what is on its way to it does not: so an order
that is on its way is executed, and nobody hears of it. The daemon's own write never fails, as with
a real socket, whose kernel takes the bytes and learns later that they went nowhere.

A frame is what one side writes at once. Of a long one a read brings a piece, which is a point of
its own; a cut after it lies inside the frame as well.

Half a frame is as good as none: a WebSocket hands over whole messages only, to either side. So a
cut inside a frame comes to the same as one before it, and to the same wherever inside it lies; were
it otherwise, the one inside would show it, and so a whole run tries that one. Two tests show it: on
real sockets both sides are cut off at every byte (``tests/integration/test_link_cut.py``), and in
these worlds both cuts are compared, at every frame of a script.
"""

from enum import StrEnum


class Cut(StrEnum):
    """One of the above."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"

    def passed(self, data: bytes) -> bytes:
        """What gets through of a frame."""
        return {Cut.BEFORE: b"", Cut.INSIDE: data[: len(data) // 2], Cut.AFTER: data}[self]


TRIED = (Cut.INSIDE, Cut.AFTER)
"""Those of a whole run."""
