"""Compares a trade of the log with the exchange's own account of the same position.

Two independent calculations meet here and must agree to the last digit. Pure.
"""

from chaos.world.books import Span
from tradebaas.core.model import Trade


def trade_differs(span: Span, trade: Trade, through_ms: int) -> str:
    """Where the exchange's span and the log's trade differ, in words; "" when nowhere.

    ``through_ms`` is up to when the daemon has read what funding was charged.
    """
    pairs: tuple[tuple[str, object, object], ...] = (
        ("instrument", span.instrument, trade.instrument),
        ("currency", span.currency, trade.currency),
        ("amount", span.entered, trade.amount),
        ("gross", span.gross, trade.gross),
        ("fees", span.fees, trade.fees),
        ("net before funding", span.gross - span.fees, trade.net + trade.funding),
        ("opened", span.opened_ms, trade.opened_ms),
        ("closed", span.closed_ms, trade.closed_ms),
    )
    if trade.closed_ms <= through_ms:
        pairs = (*pairs, ("funding", span.funding, trade.funding))
    return ", ".join(f"{name} {ours} != {theirs}" for name, ours, theirs in pairs if ours != theirs)
