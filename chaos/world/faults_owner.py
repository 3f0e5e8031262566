"""What the account's owner does by hand, elsewhere, while the daemon believes that it is alone.

Each act comes through a session of the owner's and is journalled as ``admin`` when it is done, so
that the judge can tell sabotage from neglect. Nothing here crosses zero: reductions are
reduce-only, additions go the position's way and never wait in the book, and an order that rests and
may add has the smallest amount there is, since a fee that belongs half to one position and half to
the next is nobody's.
"""

from collections.abc import Callable
from decimal import Decimal

from chaos.world.faults_scene import Scene
from tradebaas.paper.instruments import INSTRUMENTS
from tradebaas.paper.market import on_tick
from tradebaas.paper.orders import Order
from tradebaas.paper.views import price_band

FAR_PERCENT = (6, 30)
"""Of the market's price: no position here gets a stop of its own so far from where it began."""


def _remove_stop(scene: Scene) -> str:
    """The owner cancels a stop of ours."""
    return _cancel(scene, "stop", [o for o in scene.live(ours=True) if o.is_live_stop])


def _remove_take(scene: Scene) -> str:
    """The owner cancels a take profit of ours."""
    takes = [o for o in scene.live(ours=True) if o.reduce_only and not o.is_live_stop]
    return _cancel(scene, "take or close", takes)


def _remove_all(scene: Scene) -> str:
    """The owner cancels everything of ours."""
    if not scene.live(ours=True):
        return ""
    done = scene.own("admin/cancel_all")
    return f"owner cancelled {done} orders" if done is not None else ""


def _cancel(scene: Scene, what: str, orders: list[Order]) -> str:
    if not orders:
        return ""
    order = scene.rng.choice(orders)
    done = scene.own("admin/cancel", order_id=order.order_id)
    return f"owner cancelled our {what} {order.order_id}" if done is not None else ""


def _close(scene: Scene) -> str:
    """The owner closes the whole position."""
    return _reduce(scene, "closed", Decimal(1))


def _reduce_some(scene: Scene) -> str:
    """The owner closes a part of the position."""
    return _reduce(scene, "reduced", Decimal(scene.rng.randint(5, 95)) / 100)


def _add(scene: Scene) -> str:
    """The owner makes the position larger."""
    size = scene.size
    share = Decimal(scene.rng.randint(5, 100)) / 100
    return _trade(scene, "added", "buy" if size > 0 else "sell", abs(size) * share)


def _reduce(scene: Scene, what: str, share: Decimal) -> str:
    size = scene.size
    side = "sell" if size > 0 else "buy"
    return _trade(scene, what, side, abs(size) * share, reduce_only=True)


def _trade(scene: Scene, what: str, side: str, wanted: Decimal, **more: bool) -> str:
    amount = INSTRUMENTS[scene.instrument].floor_amount(wanted)
    if not amount:
        return ""
    low, high = price_band(scene.exchange.tape)
    # A limit that cannot wait: what the book does not hold now is not traded at all.
    done = scene.own(
        "admin/order", side=side, instrument_name=scene.instrument, amount=amount, type="limit",
        price=high if side == "buy" else low, time_in_force="immediate_or_cancel", **more,
    )  # fmt: skip
    return f"owner {what}: {side} {amount}" if done is not None else ""


def _rest(scene: Scene) -> str:
    """The owner leaves an order of the smallest amount in the book, out of the market's way."""
    side = scene.rng.choice(("buy", "sell"))
    far = Decimal("0.9") if side == "buy" else Decimal("1.1")
    price, amount = on_tick(scene.exchange.tape.price * far), _smallest(scene)
    done = scene.own(
        "admin/order", side=side, instrument_name=scene.instrument, amount=amount, type="limit",
        price=price,
    )  # fmt: skip
    return f"owner's order: {side} {amount} at {price}" if done is not None else ""


def _rest_stop(scene: Scene) -> str:
    """The owner leaves a reduce-only stop beside ours, for some of the position or all of it, and
    farther away than any stop that covers it."""
    size = scene.size
    if not size:
        return ""
    away = Decimal(scene.rng.randint(*FAR_PERCENT)) / 100
    price = on_tick(scene.exchange.tape.price * (1 - away if size > 0 else 1 + away))
    share = abs(size) * scene.rng.randint(1, 100) / 100
    amount = max(INSTRUMENTS[scene.instrument].floor_amount(share), _smallest(scene))
    done = scene.own(
        "admin/order", side="sell" if size > 0 else "buy", instrument_name=scene.instrument,
        amount=amount, type="stop_market", trigger="mark_price", trigger_price=price,
        reduce_only=True,
    )  # fmt: skip
    return f"owner's stop: {amount} at {price}" if done is not None else ""


def _open(scene: Scene) -> str:
    """The owner opens a position while there is none and nothing of ours waits for one."""
    if scene.size or scene.live(ours=True):
        return ""
    side = scene.rng.choice(("buy", "sell"))
    return _trade(scene, "opened", side, _smallest(scene) * scene.rng.randint(1, 20))


def _leave(scene: Scene) -> str:
    """The owner cancels an order of the owner's own."""
    own = scene.live(ours=False)
    if not own:
        return ""
    order = scene.rng.choice(own)
    done = scene.own("admin/cancel", order_id=order.order_id)
    return f"owner cancelled the owner's order {order.order_id}" if done is not None else ""


def _smallest(scene: Scene) -> Decimal:
    return INSTRUMENTS[scene.instrument].contract_size


ROWS: dict[str, Callable[[Scene], str]] = {
    "owner cancels our stop": _remove_stop,
    "owner cancels our take": _remove_take,
    "owner cancels everything": _remove_all,
    "owner closes": _close,
    "owner reduces": _reduce_some,
    "owner adds": _add,
}
FOREIGN: dict[str, Callable[[Scene], str]] = {
    "owner's resting order": _rest,
    "owner's stop beside ours": _rest_stop,
    "owner opens": _open,
    "owner cancels the owner's order": _leave,
}
