"""What the known fills of the open position amount to, in the order in which they were made.

Fills are told in any order, the owner's among ours, and order matters: an exit of ours before the
owner bought ends a trade and leaves a position that is not ours; after it, the rest is still ours.
So the fills of the last minute are kept, and each one that comes is put in its place. A position
from flat to flat is a trade; the fill that crosses zero ends one and begins the next. Pure.
"""

import re

from msgspec import Struct
from msgspec.structs import replace

from tradebaas.core.model import Fill, Position, Role, role_of
from tradebaas.core.position import fold_fill, split_at_zero

_NUMBER = re.compile(r"\d+$")


class Accounts(Struct, frozen=True, kw_only=True):
    """``base`` is a position to begin with, ``fills`` those that came after it, in their order."""

    base: Position | None = None
    fills: tuple[Fill, ...] = ()


def add(accounts: Accounts, fill: Fill) -> Accounts:
    """``accounts`` with one more fill in its place."""
    return replace(accounts, fills=tuple(sorted((*accounts.fills, fill), key=_order)))


def first_trade(accounts: Accounts, signal_id: str) -> tuple[Position, Accounts] | None:
    """The first position that came back to zero, and the accounts of what followed it.

    ``signal_id`` is that of the entry, if there is one. None when nothing has come back to zero.
    """
    position, after = walk(accounts, signal_id)
    return None if position is None or after is None else (position, after)


def remaining(accounts: Accounts, signal_id: str) -> Position | None:
    """The position that is left after all trades; None when that is nothing."""
    position, after = walk(accounts, signal_id)
    while after is not None:
        position, after = walk(after, signal_id)
    return position


def walk(accounts: Accounts, signal_id: str) -> tuple[Position | None, Accounts | None]:
    """The first position that came back to zero, with the accounts of what followed it; when none
    did, the position that is left, and None.

    As an exit of ours can open nothing, a zero before one is no end: a fill of the entry is
    missing.
    """
    position = accounts.base
    if position is not None and position.size == 0:
        return position, replace(accounts, base=None)
    for number, fill in enumerate(accounts.fills, 1):
        part, *rest = split_at_zero(position, fill)
        position = _fold(position, part, signal_id)
        if position.size == 0:
            after = (*rest, *accounts.fills[number:])
            if not (after and after[0].reduces):
                return position, Accounts(fills=after)
    return position, None


def moved(position: Position | None, fill: Fill, signal_id: str) -> Position:
    """``position`` after one more fill, across zero if need be."""
    if position is not None and position.size == 0:
        position = None
    first, *rest = split_at_zero(position, fill)
    position = _fold(position, first, signal_id)
    return _fold(None, rest[0], signal_id) if rest else position


def folded_before(accounts: Accounts, at_ms: int, signal_id: str) -> Accounts:
    """The same, with the fills of before ``at_ms`` in the base: nothing older will be told.

    Only up to where a trade ends: until that trade is told, its end must be found here.
    """
    base, fills, folded = accounts.base, accounts.fills, 0
    if base is not None and base.size == 0:
        return accounts
    position = base
    for number, fill in enumerate(fills, 1):
        ended = position is not None and position.size == 0 and not fill.reduces
        if fill.at_ms >= at_ms or ended or len(split_at_zero(position, fill)) > 1:
            break
        position = _fold(position, fill, signal_id)
        if position.size != 0:
            base, folded = position, number
    return Accounts(base=base, fills=fills[folded:])


def _fold(position: Position | None, fill: Fill, signal_id: str) -> Position:
    entry = role_of(fill.label) is Role.ENTRY
    return fold_fill(position, fill, ours=entry, signal_id=signal_id if entry else "")


def _order(fill: Fill) -> tuple[int, int]:
    """By time; within a millisecond by the exchange's own number, which the id ends with."""
    number = _NUMBER.search(fill.trade_id)
    return fill.at_ms, int(number.group()) if number is not None else 0
