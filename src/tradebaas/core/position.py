"""Folding fills into the open position, and a closed position into a trade.

The arithmetic is that of the exchange's fills alone: the value of a trade is the signed sum of
``fill_value`` over its fills, so that it equals the exchange's own ledger to the last digit
whatever the order of partial closes was. Pure; knows nothing of orders or phases.
"""

from decimal import Decimal

from msgspec.structs import replace

from tradebaas.core.model import (
    ContractKind,
    Direction,
    Fill,
    Position,
    Role,
    Trade,
    fill_value,
    role_of,
)

LIQUIDATION = "liquidation"
_EXIT_REASONS = {Role.STOP: "stop", Role.TAKE: "take profit", Role.CLOSE: "close"}


def fold_fill(position: Position | None, fill: Fill, *, ours: bool, signal_id: str) -> Position:
    """The position after ``fill``; its size is zero when the fill closed it.

    Fills commute, so one that comes late changes nothing but the order of the sums. A fill that
    turns the position round must be split first (``split_at_zero``). One that reduces more than
    there is leaves a negative ``open_amount`` until the missing fill of the entry comes.

    Raises:
        ValueError: when the fill is of another instrument.
    """
    if position is None:
        position = _unopened(fill, ours, signal_id)
    if position.instrument != fill.instrument:
        raise ValueError(f"fill of {fill.instrument} on a position in {position.instrument}")
    value = fill_value(fill.contract, fill.amount, fill.price)
    size = position.size + fill.direction.sign * fill.amount
    if fill.direction is position.direction:
        return replace(
            position,
            size=size,
            ours=position.ours or ours,
            signal_id=position.signal_id or signal_id,
            entry_amount=position.entry_amount + fill.amount,
            entry_value=position.entry_value + value,
            fees=position.fees + fill.fee,
            opened_ms=min(position.opened_ms, fill.at_ms),
            changed_ms=max(position.changed_ms, fill.at_ms),
        )
    return replace(
        position,
        size=size,
        exit_amount=position.exit_amount + fill.amount,
        exit_value=position.exit_value + value,
        fees=position.fees + fill.fee,
        changed_ms=max(position.changed_ms, fill.at_ms),
        exit_reason=_ended_by(position, fill),
    )


def _unopened(fill: Fill, ours: bool, signal_id: str) -> Position:
    """The empty position that a first fill falls into.

    A first fill that reduces tells of an entry whose fills we have not seen yet.
    """
    return Position(
        instrument=fill.instrument,
        contract=fill.contract,
        currency=fill.currency,
        size=Decimal(0),
        direction=fill.direction.opposite if fill.reduces else fill.direction,
        ours=ours or fill.reduces,
        signal_id=signal_id,
        opened_ms=fill.at_ms,
        changed_ms=fill.at_ms,
    )


def split_at_zero(position: Position | None, fill: Fill) -> tuple[Fill, ...]:
    """``fill`` as it is, or as a closing part and an opening rest when it crosses zero.

    The fee stays with the closing part. Our reduce-only orders cannot turn our position round:
    there a fill of the entry is missing, and nothing is split.
    """
    if position is None or fill.direction is position.direction:
        return (fill,)
    size = position.open_amount
    if fill.amount <= size or size <= 0 or (fill.reduces and position.ours):
        return (fill,)
    rest = replace(fill, amount=fill.amount - size, fee=Decimal(0))
    return (replace(fill, amount=size), rest)


def passed(position: Position, stop: Decimal, mark: Decimal) -> bool:
    """Whether the market is beyond a stop at that price."""
    return (mark - stop) * position.direction.sign <= 0


def _ended_by(position: Position, fill: Fill) -> str:
    """What the latest fill says; but what is liquidated in part is a liquidation, though the halt
    that follows sells the rest.
    """
    before, said = position.exit_reason, exit_reason(fill)
    if LIQUIDATION in {before, said}:
        return LIQUIDATION
    return before if before and fill.at_ms < position.changed_ms else said


def exit_reason(fill: Fill) -> str:
    """In a person's words, what closed: stop, take profit, close, liquidation or manual."""
    if fill.liquidation:
        return LIQUIDATION
    role = role_of(fill.label)
    return _EXIT_REASONS.get(role, "manual") if role else "manual"


def average(contract: ContractKind, amount: Decimal, value: Decimal) -> Decimal:
    """Average price of ``amount`` with total ``value``: harmonic for inverse contracts."""
    if amount == 0 or value == 0:
        return Decimal(0)
    price = amount / value if contract is ContractKind.INVERSE else value / amount
    return price.quantize(Decimal("0.0001"))


def trade_of(position: Position, number: int) -> Trade:
    """The trade that a position of size zero amounts to.

    Gross P&L: inverse long = entry coin - exit coin; linear long = exit - entry; short negated.
    """
    gain = position.exit_value - position.entry_value
    if position.contract is ContractKind.INVERSE:
        gain = -gain
    gross = gain if position.direction is Direction.BUY else -gain
    return Trade(
        number=number,
        signal_id=position.signal_id,
        instrument=position.instrument,
        direction=position.direction,
        amount=position.entry_amount,
        entry_price=average(position.contract, position.entry_amount, position.entry_value),
        exit_price=average(position.contract, position.exit_amount, position.exit_value),
        opened_ms=position.opened_ms,
        closed_ms=position.changed_ms,
        gross=gross,
        fees=position.fees,
        net=gross - position.fees,
        currency=position.currency,
        exit_reason=position.exit_reason,
        ours=position.ours,
    )
