"""Rows of funding -> events: each once, to the trade that it belongs to.

What was read is noted only when something may follow from it, to keep the log small: a trade that
waits for its rows, rows that are held, or a read that is long ago.
"""

from tradebaas.core import funding
from tradebaas.core.draft import Draft
from tradebaas.core.facts import FundingFact
from tradebaas.core.funding_events import FundingCharged, FundingRead

REPEAT_MS = 3_600_000


def absorb(draft: Draft, fact: FundingFact) -> None:
    """Book what is not known, and note how far the log was read."""
    for row in sorted(fact.rows, key=lambda row: (row.at_ms, row.row_id)):
        known = draft.state.funding
        if row.paid and not funding.is_known(known, row):
            draft.emit(FundingCharged(row=row, trade=funding.trade_of(known, row)))
    after = draft.state.funding
    due = after.closed or after.known or fact.through_ms - after.through_ms > REPEAT_MS
    if due and fact.through_ms > after.through_ms:
        draft.emit(FundingRead(through_ms=fact.through_ms))
