"""What the market does at the worst moment: gaps, empty books, fills that race a cancel.

Moves of the market are journalled as the driver's, as the owner's acts are: a stop that finds no
liquidity leaves a position naked, and no daemon that is down could have helped it. Without any
liquidity nothing can be closed either, so that lasts for moments only.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from chaos.world.faults_scene import CANCEL, Scene
from tradebaas.paper.instruments import INSTRUMENTS
from tradebaas.paper.market import on_tick
from tradebaas.paper.orders import Order
from tradebaas.paper.tape import MAX_SHOCKS

ACCOUNT_READS = (
    "private/get_open_orders",
    "private/get_user_trades_by_currency_and_time",
    "private/get_positions",
)
"""The parts of a full read of the account that are always there."""
MOST_READS = 4
"""So often is each part read, at most, until all parts agree."""
DRY_MS = (50, 500)
DROUGHT_MS = (3_000, 5_000)
"""How long there is no liquidity, in a client's time."""


def _jump(scene: Scene) -> str:
    """The market jumps a little."""
    return _move(scene, "jumped", _away(scene, scene.rng.choice((-1, 1)), 4))


def _gap_stop(scene: Scene) -> str:
    """The market gaps through a stop of ours, far or near."""
    return _gap(scene, "stop", [o for o in scene.live(ours=True) if o.is_live_stop])


def _gap_take(scene: Scene) -> str:
    """The market gaps through a take profit of ours."""
    return _gap(scene, "take", [o for o in scene.live(ours=True) if not o.is_live_stop])


def _touch_stop(scene: Scene) -> str:
    """The market touches a stop of ours and stays there."""
    return _touch(scene, "stop", [o for o in scene.live(ours=True) if o.is_live_stop])


def _touch_take(scene: Scene) -> str:
    """The market touches a take profit of ours and stays: it fills as far as the book holds."""
    return _touch(scene, "take", [o for o in scene.live(ours=True) if not o.is_live_stop])


def _gap(scene: Scene, what: str, orders: list[Order]) -> str:
    order = _chosen(scene, orders)
    if order is None or order.level is None:
        return ""
    beyond = _away(scene, 1 if order.waits_for_rise else -1, scene.rng.choice((2, 20, 60)))
    price = max(order.level, beyond) if order.waits_for_rise else min(order.level, beyond)
    return _move(scene, f"gapped through our {what} {order.order_id}", price)


def _touch(scene: Scene, what: str, orders: list[Order]) -> str:
    order = _chosen(scene, orders)
    if order is None or order.level is None:
        return ""
    return _move(scene, f"touched our {what} {order.order_id}", order.level)


def _chosen(scene: Scene, orders: list[Order]) -> Order | None:
    return scene.rng.choice(orders) if orders else None


def _away(scene: Scene, sign: int, thousandths: int) -> Decimal:
    share = Decimal(sign * scene.rng.randint(1, 1_000 * thousandths)) / 1_000_000
    return on_tick(scene.exchange.tape.price * (1 + share))


def _move(scene: Scene, what: str, price: Decimal) -> str:
    if len(scene.exchange.tape.state.shocks) >= MAX_SHOCKS - 1:
        return ""
    done = scene.own("admin/price", price=price)
    return f"market {what}, to {price}" if done is not None else ""


def _depth(scene: Scene, contracts: int) -> str:
    amount = INSTRUMENTS[scene.instrument].contract_size * contracts
    scene.front.own("admin/depth", {"instrument_name": scene.instrument, "amount": amount})
    return f"{amount} per price level"


def _dry(scene: Scene, thin: str, contracts: int, lasting_ms: tuple[int, int] = DRY_MS) -> str:
    for_ms = scene.stretch(*lasting_ms)
    scene.front.own("admin/thin", {"thin": thin, "for_ms": for_ms})
    return f"{_depth(scene, contracts)}, for {for_ms} ms the rest of market orders: {thin}"


def _thin(scene: Scene) -> str:
    """Little at each price: orders fill in parts and further away, large ones not whole."""
    return _depth(scene, scene.rng.randint(1, 40))


def _thin_cancel(scene: Scene) -> str:
    """Too little to close with: what a market order does not get at once is cancelled."""
    return _dry(scene, "cancel", scene.rng.choice((0, 0, 1)))


def _thin_wait(scene: Scene) -> str:
    """Too little to close with: market orders wait for the next prices, partly filled."""
    return _dry(scene, "wait", scene.rng.choice((0, 1, 3)))


def _drought(scene: Scene) -> str:
    """Nothing to close with, for longer than a position may be without its stop."""
    return _dry(scene, "cancel", 0, DROUGHT_MS)


def _stop_in_drought(scene: Scene) -> str:
    """A stop of ours fires where nobody trades, and rests; so does what is sent beside it."""
    if not any(order.is_live_stop for order in scene.live(ours=True)):
        return ""
    return f"{_dry(scene, 'wait', 0, DROUGHT_MS)}; {_gap_stop(scene)}"


def _deep(scene: Scene) -> str:
    """The book is full again; market orders that wait are served."""
    if scene.instrument not in scene.exchange.matching.levels.depth:
        return ""
    scene.front.own("admin/thin", {"thin": "no", "for_ms": 0})
    scene.front.own("admin/depth", {"instrument_name": scene.instrument, "amount": None})
    return "the book is full again"


def _race(*, part: bool) -> Callable[[Scene], str]:
    what = "partly" if part else "whole"

    def strike(scene: Scene) -> str:
        def before(method: str, body: bytes) -> None:
            if method in CANCEL and fill_first(scene, named_order(scene, body), part):
                scene.front.before = None
                scene.struck()

        scene.front.before = before
        return f"the next order that is to be cancelled fills {what} just before that"

    strike.__doc__ = f"A fill races the next cancel and wins, {what}."
    return strike


def _race_read(part: bool) -> Callable[[Scene], str]:
    what = "partly" if part else "whole"

    def strike(scene: Scene) -> str:
        read = scene.rng.choice(ACCOUNT_READS)
        last = MOST_READS if part else scene.rng.randint(1, MOST_READS)
        first = 1 if part else last
        seen = 0

        def before(method: str, _body: bytes) -> None:
            nonlocal seen
            seen += method == read
            due = method == read and seen >= first
            if due and fill_first(scene, _chosen(scene, _legs(scene, part)), part):
                scene.struck()
            if seen == last:
                scene.front.before = None

        scene.front.before = before
        return f"a leg of ours fills {what} just before {read}, calls {first} to {last}"

    strike.__doc__ = f"A leg fills {what} between the parts of a full read of the account."
    return strike


def _legs(scene: Scene, part: bool) -> list[Order]:
    """A stop that fires goes on at the market, so that only a take profit fills in part."""
    legs = [order for order in scene.live(ours=True) if scene.size]
    return [order for order in legs if not (part and order.is_live_stop)]


def named_order(scene: Scene, body: bytes) -> Order | None:
    """The live order that the parameters of a cancel name."""
    asked = msgspec.json.decode(body, type=dict[str, object])
    return scene.exchange.desk.live.get(str(asked.get("order_id", "")))


def fill_first(scene: Scene, order: Order | None, part: bool) -> bool:
    """Have the market reach an order; whether that can be done."""
    if order is None or order.level is None or not scene.open:
        return False
    matching, name = scene.exchange.matching, order.instrument_name
    depth = matching.levels.depth.get(name)
    step = INSTRUMENTS[name].contract_size
    if part and order.remaining > step:
        matching.levels.depth[name] = INSTRUMENTS[name].floor_amount(order.remaining / 2)
    beyond = INSTRUMENTS[name].tick_size * (1 if order.waits_for_rise else -1)
    if part:
        scene.exchange.shock(order.level - beyond)  # what a level holds is back once it was left
        scene.exchange.shock(order.level)
    else:
        scene.exchange.shock(order.level + beyond)
    if depth is None:
        matching.levels.depth.pop(name, None)
    else:
        matching.levels.depth[name] = depth
    return True


def _liquidate(scene: Scene) -> str:
    """The exchange liquidates the position, in steps, a part of it or all."""
    if not scene.size:
        return ""
    steps = scene.rng.choice((1, 2, 4, 50))
    done = scene.own("admin/liquidate", steps=steps)
    return f"liquidation, {done} steps, {scene.size} left" if done else ""


RACES: dict[str, Callable[[Scene], str]] = {
    "fill races a cancel": _race(part=False),
    "part fill races a cancel": _race(part=True),
    "fill races a read": _race_read(part=False),
    "part fill races a read": _race_read(part=True),
}
ROWS: dict[str, Callable[[Scene], str]] = {
    "market jumps": _jump,
    "gap through the stop": _gap_stop,
    "gap through the take": _gap_take,
    "touch of the stop": _touch_stop,
    "touch of the take": _touch_take,
    "thin book": _thin,
    "no liquidity, rest cancelled": _thin_cancel,
    "no liquidity, rest waits": _thin_wait,
    "liquidity returns": _deep,
    **RACES,
    "liquidation": _liquidate,
}
DROUGHT: dict[str, Callable[[Scene], str]] = {
    "drought": _drought,
    "stop fires in a drought": _stop_in_drought,
}
"""Apart from the others: where stops fire as well, it leaves a position naked that nobody could
close."""
