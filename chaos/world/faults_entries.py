"""What befalls an entry alone: its prices grow old, and it may not be for the moment only.

A channel of prices that falls silent leaves the candles, and so the signals, coming. Where an order
that takes others along may not be immediate, an entry rests in the book with what it does not fill
at once: with all of it, when the market has just left it behind.
"""

from decimal import Decimal

import msgspec

from chaos.world.faults_house import drop_channel
from chaos.world.faults_scene import ORDER, Row, Scene
from tradebaas.paper.faults import Rule
from tradebaas.paper.instruments import Wire
from tradebaas.paper.market import on_tick
from tradebaas.paper.params import Refused
from tradebaas.paper.tape import MAX_SHOCKS, TICK

AT_ONCE: Wire = {"time_in_force": "immediate_or_cancel"}
RESTS = "good_til_cancelled"
TICKS_AHEAD = 100
"""How far the market is beyond the limit at most: less than the way to a stop or a take."""


def _silence_prices(scene: Scene) -> str:
    """The prices of one connection fall silent, and everything else of it goes on."""
    return drop_channel(scene, "ticker.")


def _must_rest(scene: Scene) -> str:
    """The next immediate entry is refused for that, and the next that may rest is left behind."""
    faults = scene.front.faults
    if not any(rule.match == AT_ONCE for rule in faults.rules):
        error = Refused(11047, "unsupported_arg_combination")
        faults.arm(Rule("reject", ORDER, AT_ONCE, error=error))

    def before(method: str, body: bytes) -> None:
        if method in ORDER and _leave_behind(scene, method, body):
            scene.front.before = None
            scene.struck()

    scene.front.before = before
    return "the next immediate entry: 11047; the market leaves the next that may rest behind"


def _leave_behind(scene: Scene, method: str, body: bytes) -> bool:
    """Move the market out of an entry's reach, just before it arrives; whether that was done."""
    asked = msgspec.json.decode(body, type=dict[str, object])
    may_rest = asked.get("time_in_force") == RESTS and not asked.get("reduce_only")
    if not may_rest or not scene.open or len(scene.exchange.tape.state.shocks) >= MAX_SHOCKS - 1:
        return False
    ahead = TICK * scene.rng.randint(2, TICKS_AHEAD) * (1 if method == "private/buy" else -1)
    scene.exchange.shock(on_tick(Decimal(str(asked["price"])) + ahead))
    return True


MUST_REST = "entry has to rest"
ROWS: dict[str, Row] = {
    "prices fall silent": _silence_prices,
    MUST_REST: _must_rest,
}
