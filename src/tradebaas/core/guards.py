"""Protect-only: what forbids opening, and the one rule that ends it.

A cause is named by whoever sees it (``Guard``), and gone when that one says so. What was missed
while it lasted may matter more than the cause, so the daemon leaves protect-only only with the next
full read of the account. Causes that the account itself gives (see ``reconcile`` and ``correct``)
end with a read in any case. Nothing here knows what a cause means.
"""

from tradebaas.core.draft import Draft
from tradebaas.core.events import ProtectCauseGone, ProtectOnlyEntered, ProtectOnlyLeft
from tradebaas.core.messages import Guard
from tradebaas.core.state import stands


def guard(draft: Draft, request: Guard) -> None:
    """Take note of a cause; what is known already leads to no event."""
    known = stands(draft.state, request.cause)
    if request.active and not known:
        draft.emit(ProtectOnlyEntered(cause=request.cause, detail=request.detail))
    elif not request.active and known:
        draft.emit(ProtectCauseGone(cause=request.cause))


def leave(draft: Draft) -> None:
    """A full read has passed: leave protect-only for every cause that is gone."""
    for cause in draft.state.lifting:
        draft.emit(ProtectOnlyLeft(cause=cause))
