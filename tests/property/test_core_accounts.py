"""Folding old fills into the base of the accounts changes nothing of what they amount to."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tradebaas.core import accounts
from tradebaas.core.accounts import Accounts
from tradebaas.core.model import ContractKind, Direction, Fill, Position

BTC = "BTC-PERPETUAL"
ENTRY, TAKE, CLOSE, OWNERS = "tb1-aa-1-e", "tb1-aa-1-t", "tb1-aa-2-c", ""


def fill_of(number: int, label: str, direction: Direction, amount: int) -> Fill:
    return Fill(
        trade_id=str(number), order_id=str(number), label=label, instrument=BTC,
        contract=ContractKind.INVERSE, direction=direction, amount=Decimal(amount),
        price=Decimal(50_000 + number), fee=Decimal("0.0000001"), currency="BTC", at_ms=number,
    )  # fmt: skip


drawn = st.tuples(
    st.sampled_from((ENTRY, TAKE, CLOSE, OWNERS, OWNERS)),
    st.sampled_from(Direction),
    st.sampled_from((10, 10, 20, 30)),
)


def told(held: Accounts) -> tuple[list[Position], Position | None]:
    """Every position that came back to zero, in order, and what is left."""
    ended: list[Position] = []
    position, after = accounts.walk(held, "signal")
    while position is not None and after is not None:
        ended.append(position)
        position, after = accounts.walk(after, "signal")
    return ended, position


@given(fills=st.lists(drawn, max_size=9), lines=st.lists(st.integers(1, 10), max_size=3))
def test_what_is_folded_amounts_to_the_same(
    fills: list[tuple[str, Direction, int]], lines: list[int]
) -> None:
    whole = Accounts(fills=tuple(fill_of(number, *fill) for number, fill in enumerate(fills, 1)))
    folded = whole
    for at_ms in sorted(lines):
        folded = accounts.folded_before(folded, at_ms, "signal")
    assert told(folded) == told(whole)


def test_a_trade_that_is_not_told_yet_keeps_its_end_though_the_owner_went_on() -> None:
    """Seed 91428 of rush: the take profit filled while the daemon was down, then the owner traded;
    the entry had no answer yet, so that nothing was told before the next full read."""
    held = Accounts(
        fills=(
            fill_of(1, ENTRY, Direction.SELL, 7150),
            fill_of(2, TAKE, Direction.BUY, 7150),
            fill_of(3, OWNERS, Direction.BUY, 110),
            fill_of(4, OWNERS, Direction.SELL, 110),
        )
    )
    ended, left = told(accounts.folded_before(held, 10, "signal"))
    assert [(int(trade.entry_amount), trade.changed_ms) for trade in ended] == [(7150, 2), (110, 4)]
    assert left is None


def test_what_is_open_and_old_needs_no_fills_any_more() -> None:
    held = Accounts(
        fills=(fill_of(1, ENTRY, Direction.BUY, 30), fill_of(2, TAKE, Direction.SELL, 10))
    )
    folded = accounts.folded_before(held, 10, "signal")
    assert folded.fills == ()
    assert folded.base is not None
    assert folded.base.size == 20
