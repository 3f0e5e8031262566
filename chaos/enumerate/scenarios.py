"""The scripts: a complete trade cycle and the ways in which it can end, each as short as it can be.

A script begins with an empty disk and ends when it has come to what it is for: mostly flat again,
with the trade recorded. Several begin alike; where a script says ``own``, it begins to do what no
other has done before it, and only from there on its points are enumerated.
"""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from chaos.enumerate import outcomes
from chaos.enumerate.outcomes import AMOUNT
from chaos.enumerate.settings import ASSIGNMENT
from chaos.enumerate.stage import Script, Stage
from chaos.sim.operator import free
from chaos.world.faults_scene import Scene
from tradebaas.core.messages import Arm, ClosePosition, Halt, MoveStop, Resume
from tradebaas.core.model import Phase, Role
from tradebaas.core.position import average
from tradebaas.core.state import State, live_orders, naked_amount
from tradebaas.paper.faults import Kind, Rule

ENTRIES = frozenset({"private/buy"})


class Scenario(Struct, frozen=True):
    """A script by its name; ``tells`` is what happens in it."""

    name: str
    tells: str
    script: Script


# --------------------------------------------------------------------------------- common parts


async def _arm(stage: Stage) -> None:
    """Start on an empty disk, reach the exchange, and be armed."""
    await stage.wait(lambda state: 0 < state.connection == state.reconciled)
    await stage.operator.command(Arm(assignment=ASSIGNMENT))
    await stage.wait(lambda state: state.armed)


async def _enter(stage: Stage) -> None:
    """Be armed, and in a position with its stop and its take profit."""
    await _arm(stage)
    await _in_position(stage)


async def _in_position(stage: Stage) -> None:
    await stage.wait(lambda s: s.position is not None and not s.pending and not naked_amount(s))


async def _flat(stage: Stage) -> None:
    """Flat, the trade recorded, and nothing left at the exchange."""
    await stage.wait(lambda s: s.counters.trades > 0 and s.position is None and not s.orders)


def _armed_fault(kind: Kind) -> Script:
    async def arm(stage: Stage) -> None:
        await stage.inflict(lambda scene: scene.front.faults.arm(Rule(kind, ENTRIES)))

    return arm


# ---------------------------------------------------------------------------------- the scripts


async def _stop(stage: Stage) -> None:
    stage.own()
    await _enter(stage)
    await stage.inflict(outcomes.gap_stop)
    await _flat(stage)


async def _take(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    await stage.inflict(outcomes.gap_take)
    await _flat(stage)


async def _part(stage: Stage) -> None:
    """The stop, too, gets only a part: the daemon has to close the rest by itself."""
    await _arm(stage)
    stage.own()
    await stage.inflict(lambda scene: outcomes.thin(scene, AMOUNT / 2))
    await _in_position(stage)
    await stage.inflict(lambda scene: outcomes.thin(scene, AMOUNT / 4))
    await stage.inflict(outcomes.gap_stop)
    await stage.wait(lambda s: s.phase is Phase.CLOSING or s.counters.trades > 0)
    await stage.inflict(outcomes.deepen)
    await _flat(stage)


async def _close(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    await stage.operator.command(ClosePosition(reason="by hand"))
    await _flat(stage)


async def _reconnect(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    for connection in stage.network.connections:
        connection.cut()
    await stage.wait(lambda state: 1 < state.connection == state.reconciled)
    await stage.operator.command(ClosePosition(reason="by hand"))
    await _flat(stage)


async def _unheard(stage: Stage) -> None:
    await _arm(stage)
    stage.own()
    await _armed_fault("lose")(stage)
    await _in_position(stage)
    await stage.inflict(outcomes.gap_take)
    await _flat(stage)


async def _vanished(stage: Stage) -> None:
    await _arm(stage)
    stage.own()
    await _armed_fault("swallow")(stage)
    await stage.wait(lambda state: bool(state.pending))
    await stage.wait(lambda state: not state.pending and state.phase is Phase.ANALYZING)


async def _naked(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    gone = set[str]()
    await stage.inflict(lambda scene: gone.update(_cancel_stop(scene)))
    await stage.wait(lambda state: gone.isdisjoint(state.orders))
    await _in_position(stage)
    await stage.inflict(outcomes.gap_stop)
    await _flat(stage)


async def _move(stage: Stage) -> None:
    """The stop is edited in place, half-way to the market, and then fires there."""
    await _enter(stage)
    stage.own()
    await stage.operator.command(MoveStop(stop=await _halfway(stage), by="operator"))
    await stage.wait(lambda s: s.moved is not None and s.editing is None and _moved(s))
    await stage.inflict(outcomes.gap_stop)
    await _flat(stage)


async def _halfway(stage: Stage) -> Decimal:
    """A price between the entry and its stop, on a tick."""
    found: list[Decimal] = []

    def look(state: State) -> bool:
        bracket, position = state.bracket, state.position
        if bracket is not None and position is not None:
            entry = average(position.contract, position.entry_amount, position.entry_value)
            found.append(((entry + bracket.stop) / 2).quantize(Decimal(1)))
        return bool(found)

    await stage.wait(look)
    return found[-1]


def _moved(state: State) -> bool:
    """Every live stop has the price that was asked for."""
    stops = live_orders(state, Role.STOP)
    return state.moved is not None and all(o.trigger_price == state.moved.stop for o in stops)


async def _halt(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    await stage.operator.command(Halt(by="operator", reason="drill"))
    await _flat(stage)
    await stage.operator.command(Resume(by="operator"))


async def _owner(stage: Stage) -> None:
    await _enter(stage)
    stage.own()
    await stage.inflict(_close_by_hand)
    await _flat(stage)
    await stage.wait(free)


def _close_by_hand(scene: Scene) -> None:
    """The owner closes our position at the market."""
    order: dict[str, object] = {
        "side": "sell" if scene.size > 0 else "buy", "instrument_name": scene.instrument,
        "amount": abs(scene.size), "type": "market", "reduce_only": True,
    }  # fmt: skip
    scene.front.own("admin/order", order)


def _cancel_stop(scene: Scene) -> Iterable[str]:
    """The owner cancels our stop; returns its id."""
    for order in scene.live(ours=True):
        if order.is_live_stop:
            scene.front.own("admin/cancel", {"order_id": order.order_id})
            yield order.order_id


_ALL = (
    Scenario("stop", "an entry with its stop and take profit, then the stop fires", _stop),
    Scenario("take", "the take profit fills", _take),
    Scenario("part", "the entry is filled in part, and then the stop as well", _part),
    Scenario("close", "the operator closes the position", _close),
    Scenario(
        "reconnect", "the connection is cut, and made again, with a position open", _reconnect
    ),
    Scenario("unheard", "the entry is executed, and the connection goes with the answer", _unheard),
    Scenario("vanished", "the entry never arrives, and the connection goes with it", _vanished),
    Scenario("naked", "the owner cancels our stop", _naked),
    Scenario("move", "the operator moves the stop closer, and then it fires", _move),
    Scenario("owner", "the owner closes the position at the exchange, by hand", _owner),
    Scenario("halt", "the operator halts with a position open, and resumes", _halt),
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
