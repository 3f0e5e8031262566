"""What happens to the account while the daemon is down, and how the driver clears its own mess.

The owner trades by hand, a stop is taken away, the market gaps through the stop, an order appears
that is not ours. Each act is a row of a table; it looks at the exchange's books and says what it
did, or "" when there was nothing to do it to. Fills of the owner never cross zero here: they reduce
at most to flat, since a fee that belongs half to one position and half to the next is nobody's.
"""

from collections.abc import Callable
from decimal import Decimal

from chaos.real.admin import AdminRefused
from chaos.real.driver import INSTRUMENT, Driver
from chaos.real.steer import jump
from chaos.world.ledger import OrderRow

STEP = Decimal(10)


def _nothing(_driver: Driver) -> str:
    return ""


def _remove_stop(driver: Driver) -> str:
    stops = [o for o in driver.books.live.values() if _protects(o)]
    if not stops or not driver.books.size(INSTRUMENT):
        return ""
    return _tried(driver, "stop removed", "admin/cancel", order_id=stops[0].order_id)


def _close_by_hand(driver: Driver) -> str:
    return _reduce_by_hand(driver, "closed by hand", Decimal(1))


def _reduce_some(driver: Driver) -> str:
    return _reduce_by_hand(driver, "reduced by hand", Decimal("0.5"))


def _reduce_by_hand(driver: Driver, what: str, share: Decimal) -> str:
    size = driver.books.size(INSTRUMENT)
    amount = _stepped(abs(size) * share)
    if amount < STEP:
        return ""
    side = "sell" if size > 0 else "buy"
    return _order(driver, what, side, amount, reduce_only=True)


def _add_by_hand(driver: Driver) -> str:
    size = driver.books.size(INSTRUMENT)
    amount = _stepped(abs(size) / 4)
    if amount < STEP:
        return ""
    return _order(driver, "added by hand", "buy" if size > 0 else "sell", amount)


def _gap(driver: Driver) -> str:
    """Through the stop of a long, or of a short."""
    size = driver.books.size(INSTRUMENT)
    if not size:
        return ""
    jump(driver, Decimal("-0.04") if size > 0 else Decimal("0.04"))
    return "gapped through the stop"


def _foreign_order(driver: Driver) -> str:
    price = (driver.admin.price() * Decimal("0.97") / 5).to_integral_value() * 5
    return _tried(
        driver, "foreign order", "admin/order", side="buy", instrument_name=INSTRUMENT,
        amount=Decimal(10), type="limit", price=price,
    )  # fmt: skip


ACTS: dict[str, Callable[[Driver], str]] = {
    "nothing": _nothing,
    "remove stop": _remove_stop,
    "close by hand": _close_by_hand,
    "reduce by hand": _reduce_some,
    "add by hand": _add_by_hand,
    "gap": _gap,
    "foreign order": _foreign_order,
}
HOLDING = (
    *("remove stop", "remove stop", "nothing", "close by hand", "reduce by hand"),
    *("add by hand", "gap", "foreign order"),
)
"""What may happen while the account holds a position."""
FLAT = ("nothing", "nothing", "foreign order")


def act(driver: Driver) -> str:
    """The next act on the account; of a position the first is to take its stop away."""
    holds = bool(driver.read_journal().size(INSTRUMENT))
    drawn = driver.draw("holding", HOLDING, HOLDING[:1]) if holds else driver.draw("flat", FLAT)
    return ACTS[drawn](driver)


def disturb(driver: Driver) -> str:
    """Something on the wire while the daemon is up: a broken frame or a lost connection."""
    what = driver.rng.choice(("", "", "", "bad frame", "disconnect", "odd frame"))
    match what:
        case "bad frame":
            driver.admin.call("admin/frame", text='{"jsonrpc":"2.0","method":')
        case "odd frame":
            text = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"user.changes"}}'
            driver.admin.call("admin/frame", text=text)
        case "disconnect":
            driver.admin.call("admin/disconnect")
        case _:
            pass
    return what


def clear_mess(driver: Driver) -> str:
    """Take back what the owner's orders left: foreign orders and foreign or added size."""
    driver.read_journal()
    done = [
        _tried(driver, "foreign order cancelled", "admin/cancel", order_id=order_id)
        for order_id in driver.books.foreign_live()
    ]
    span = driver.books.open_spans.get(INSTRUMENT)
    if span is not None and not span.ours:
        done.append(_close_by_hand(driver))
    return ", ".join(filter(None, done))


def _order(
    driver: Driver, what: str, side: str, amount: Decimal, *, reduce_only: bool = False
) -> str:
    return _tried(
        driver, what, "admin/order", side=side, instrument_name=INSTRUMENT, amount=amount,
        type="market", reduce_only=reduce_only,
    )  # fmt: skip


def _tried(driver: Driver, what: str, method: str, /, **params: object) -> str:
    """Call; a refusal (the market moved meanwhile) means that nothing was done."""
    try:
        driver.admin.call(method, **params)
    except AdminRefused:
        return ""
    return what


def _stepped(amount: Decimal) -> Decimal:
    return amount // STEP * STEP


def _protects(order: OrderRow) -> bool:
    waiting = order.is_secondary_oto
    return order.order_type == "stop_market" and order.order_state == "untriggered" and not waiting
