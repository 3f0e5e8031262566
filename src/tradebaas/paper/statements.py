"""What an account is told of its positions and its money (protocol section 11)."""

from decimal import Decimal
from typing import NamedTuple

from tradebaas.paper.accounts import ZERO, Margin, Position, liquidation_price
from tradebaas.paper.credits import Limits
from tradebaas.paper.desk import Desk
from tradebaas.paper.instruments import Instrument, Wire, plain
from tradebaas.paper.terms import Terms

NO_OPTIONS: Wire = {
    **{f"options_{name}": ZERO for name in ("pl", "session_rpl", "session_upl", "value")},
    **{f"options_{name}": ZERO for name in ("delta", "gamma", "theta", "vega")},
    **{f"options_{name}_map": {} for name in ("gamma", "theta", "vega")},
}
"""What a summary says of options, of which there are none."""


def orders_margin(desk: Desk, item: Instrument, mark: Decimal, margin: Margin) -> Decimal:
    """Return what an account's orders reserve beside its position: enough for the worse side."""
    held = desk.account.positions[item.name].size
    bought, sold = desk.pending(item.name)
    reach = max(held + bought, sold - held, key=abs) if bought or sold else held
    if abs(reach) <= abs(held):
        return ZERO
    return margin.of(item, reach, mark)[0] - margin.of(item, held, mark)[0]


class Prices(NamedTuple):
    """Of an instrument, now and at the last settlement."""

    index_price: Decimal
    mark_price: Decimal
    settlement_price: Decimal


def position_wire(
    desk: Desk, position: Position, prices: Prices, terms: Terms, interest: Decimal
) -> Wire:
    """Return the position as Deribit shows it (protocol section 11)."""
    mark = prices.mark_price
    item = position.instrument
    value, floating = position.value(mark), position.floating(mark)
    signed = value if position.size >= 0 else -value
    dollars = not item.inverse and terms.readings.linear_size == "dollars"
    coins = position.coins(mark)
    margin = terms.margin
    initial, maintenance = margin.of(item, position.size, mark)
    wire: Wire = {
        "instrument_name": position.instrument_name,
        "kind": "future",
        "direction": position.direction,
        "size": plain(signed if dollars else position.size),
        "size_currency": coins,
        "average_price": position.average_price,
        "mark_price": mark,
        "index_price": prices.index_price,
        "settlement_price": prices.settlement_price,
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "open_orders_margin": plain(orders_margin(desk, item, mark, margin)),
        "floating_profit_loss": plain(floating - position.settled),
        "realized_profit_loss": plain(position.session),
        "total_profit_loss": plain(floating),
        "realized_funding": plain(position.funding_due),
        "interest_value": interest,
        "delta": coins,
        "leverage": margin.leverage,
        "estimated_liquidation_price": liquidation_price(desk.account, position, mark, margin),
    }
    return wire


def summary_wire(desk: Desk, currency: str, mark: Decimal, margin: Margin, limits: Limits) -> Wire:
    """Return the account summary of one currency (protocol section 11)."""
    account = desk.account
    held = account.in_currency(currency)
    equity = account.equity(currency, mark)
    needed = [margin.of(p.instrument, p.size, mark) for p in held]
    reserved = sum((orders_margin(desk, p.instrument, mark, margin) for p in held), ZERO)
    initial = plain(sum((both[0] for both in needed), reserved))
    maintenance = plain(sum((both[1] for both in needed), ZERO))
    free = equity - initial
    balance = account.cash(currency)
    deltas = {p.instrument.price_index: p.coins(mark) for p in held if p.size}
    delta = plain(sum(deltas.values(), ZERO))
    realized = plain(sum((p.session + p.funding_due for p in held), ZERO))
    unrealized = plain(equity - balance - realized)
    wire: Wire = {
        "currency": currency,
        "balance": plain(balance),
        "equity": plain(equity),
        "margin_balance": plain(equity),
        "available_funds": plain(free),
        "available_withdrawal_funds": plain(min(free, balance - initial)),
        "initial_margin": initial,
        "maintenance_margin": maintenance,
        "projected_initial_margin": initial,
        "projected_maintenance_margin": maintenance,
        "session_rpl": realized,
        "session_upl": unrealized,
        "total_pl": plain(realized + unrealized),
        "futures_pl": plain(realized + unrealized),
        "futures_session_rpl": realized,
        "futures_session_upl": unrealized,
        **NO_OPTIONS,
        "delta_total": delta,
        "delta_total_map": deltas,
        "projected_delta_total": delta,
        "spot_reserve": ZERO,
        "additional_reserve": ZERO,
        "locked_balance": ZERO,
        "fee_balance": ZERO,
        "margin_model": "segregated_sm",
        "cross_collateral_enabled": False,
        "portfolio_margining_enabled": False,
        "limits": {
            "limits_per_currency": False,
            "non_matching_engine": limits["general"]._asdict(),
            "matching_engine": {
                "trading": {"total": limits["matching"]._asdict()},
                "cancel_all": limits["cancel_all"]._asdict(),
            },
        },
    }
    return wire
