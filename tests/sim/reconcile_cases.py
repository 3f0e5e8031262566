"""What a full read of the account may find, case by case: the rows of docs/reconcile.md.

Each course plays its case to the end that the row promises and asserts it; ``test_reconcile`` then
has the daemon trade again and the judge look at both ledgers, where the row allows it.
"""

from collections.abc import Callable
from decimal import Decimal

from downtime import DAY_MS, MINUTE_MS, Course, Downtime, owners
from msgspec import Struct

from chaos.enumerate import outcomes
from chaos.enumerate.outcomes import AMOUNT
from chaos.world.faults_scene import Scene
from tradebaas.config import ForeignSection
from tradebaas.core.events import CancelIntended
from tradebaas.core.messages import Disarm
from tradebaas.core.model import Phase, Role
from tradebaas.paper.faults import Kind, Rule

ENTRIES = frozenset({"private/buy"})
STAYS = {"a minute": MINUTE_MS, "45 minutes": 45 * MINUTE_MS, "three days": 3 * DAY_MS}
LEFT_ALONE = ForeignSection()
SMALL = Decimal(100)
STEPS = 40
"""Of a liquidation, which goes in parts: enough for all of a position."""
CLOSED = "counts the trade from the exchange's own fills, with what closed it; cancels what is left"


class Case(Struct, frozen=True):
    """``happens`` and ``does`` are the row; ``course`` plays it. ``goes_on``: it trades again.

    ``foreign`` is that section of the configuration.
    """

    happens: str
    does: str
    course: Course
    goes_on: bool = True
    foreign: ForeignSection = LEFT_ALONE


CASES: list[Case] = []


def case(
    happens: str, does: str, *, goes_on: bool = True, foreign: ForeignSection = LEFT_ALONE
) -> Callable[[Course], Course]:
    """Enter a course into the table."""

    def enter(course: Course) -> Course:
        CASES.append(Case(happens, does, course, goes_on, foreign))
        return course

    return enter


# -------------------------------------------------------------- what happened while it was down


def _ended_while_away(stay_ms: int, act: Callable[[Scene], object], reason: str) -> Course:
    async def course(world: Downtime) -> None:
        await world.enter()
        await world.away(stay_ms, act)
        await world.flat()
        (trade,) = world.trades()
        assert trade.exit_reason == reason
        assert trade.ours
        found = world.findings()
        assert found.pop("trade 1") == "closed"
        known = stay_ms <= MINUTE_MS
        assert known or set(found.values()) <= {"gone"}, "an end was guessed"

    return course


for _name, _stay_ms in STAYS.items():
    case(f"down for {_name}: the stop fired", CLOSED)(
        _ended_while_away(_stay_ms, outcomes.gap_stop, "stop")
    )
    case(f"down for {_name}: the take profit filled", CLOSED)(
        _ended_while_away(_stay_ms, outcomes.gap_take, "take profit")
    )


def _still_open(stay_ms: int) -> Course:
    async def course(world: Downtime) -> None:
        await world.enter()
        size, stops = world.size(), [order.order_id for order in world.stops()]
        await world.away(stay_ms)
        assert world.state.phase is Phase.POSITION_OPEN
        assert world.size() == size
        assert [order.order_id for order in world.stops()] == stops

    return course


def _entry_arrived(stay_ms: int) -> Course:
    async def course(world: Downtime) -> None:
        await _entry(world, "lose")
        await world.away(stay_ms)
        await world.covered()
        (label,) = world.intents(Role.ENTRY)
        assert world.findings()[label] == "adopted"
        assert world.sent(label) == 1
        assert world.size() > 0

    return course


def _entry_vanished(stay_ms: int) -> Course:
    async def course(world: Downtime) -> None:
        await _entry(world, "swallow")
        (label,) = world.intents(Role.ENTRY)
        await world.away(stay_ms)
        await world.shows(lambda state: not state.pending, "the proof")
        assert label in world.state.abandoned or world.findings()[label] == "abandoned"
        assert world.sent(label) == 0, "it was sent again"
        assert world.size() == 0

    return course


async def _entry(world: Downtime, kind: Kind) -> None:
    """Send an entry of which nothing is heard again."""
    await world.arm()
    await world.inflict(lambda scene: scene.front.faults.arm(Rule(kind, ENTRIES)))
    await world.shows(lambda state: bool(state.pending), "an entry on its way")


for _name, _stay_ms in STAYS.items():
    case(
        f"down for {_name}: the position is still open",
        "keeps it, with the very stop and take profit that guarded it",
    )(_still_open(_stay_ms))
    case(
        f"down for {_name}: an entry of unknown outcome was executed",
        "finds it by its label, adopts the position with its stop; the entry is not sent again",
    )(_entry_arrived(_stay_ms))
    case(
        f"down for {_name}: an entry of unknown outcome never arrived",
        "proves that it is absent before it risks anything; that signal is spent",
    )(_entry_vanished(_stay_ms))


# ------------------------------------------------------------------------------------ the entry


@case(
    "the entry was filled in part, and its rest cancelled",
    "the position is what was filled; stop and take profit are for that much",
)
async def _part(world: Downtime) -> None:
    await world.arm()
    await world.inflict(lambda scene: outcomes.thin(scene, AMOUNT / 2))
    await world.shows(lambda state: state.position is not None, "a position")
    await world.away(MINUTE_MS, outcomes.deepen)
    await world.covered()
    assert 0 < world.size() < AMOUNT * Decimal("0.9")
    assert sum(order.amount for order in world.stops()) == world.size()


@case(
    "the stop was filled in part while it was down",
    "closes the rest at once, reduce-only, and counts one trade",
)
async def _part_of_the_stop(world: Downtime) -> None:
    await world.enter()
    await world.inflict(lambda scene: outcomes.thin(scene, AMOUNT / 4))
    world.kill()
    await world.inflict(outcomes.gap_stop)
    assert 0 < world.size() < AMOUNT
    await world.inflict(outcomes.deepen)
    world.start()
    await world.recovered()
    await world.flat()
    assert len(world.trades()) == 1


# ------------------------------------------------------------------------- the owner and our trade


@case("the owner closed our position", CLOSED)
async def _owner_closed(world: Downtime) -> None:
    await world.enter()
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "sell", scene.size, reduce_only=True))
    await world.flat()
    (trade,) = world.trades()
    assert trade.exit_reason == "manual"


@case(
    "the owner closed a part of our position",
    "goes on with what is left; the stop is never for less than that",
)
async def _owner_reduced(world: Downtime) -> None:
    await world.enter()
    whole = world.size()
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "sell", SMALL, reduce_only=True))
    await world.covered()
    assert world.size() == whole - SMALL
    assert world.state.position is not None
    assert world.state.position.size == whole - SMALL


@case(
    "the owner added to our position",
    "protects all of it: another stop for what the first does not cover",
)
async def _owner_added(world: Downtime) -> None:
    await world.enter()
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", SMALL))
    await world.covered()
    assert sum(order.amount for order in world.stops()) >= world.size()


@case(
    "the owner cancelled our stop",
    "places one again at the same price before the recovery counts as ended",
)
async def _stop_removed(world: Downtime) -> None:
    await world.enter()
    (lost,) = world.stops()
    await world.away(MINUTE_MS, owners("cancel", order_id=lost.order_id))
    (stop,) = world.stops()
    assert stop.trigger_price == lost.trigger_price
    assert stop.order_id != lost.order_id


@case(
    "the owner cancelled everything of ours while an entry was not heard of",
    "adopts what was executed and places the stop again",
)
async def _all_removed(world: Downtime) -> None:
    await _entry(world, "lose")
    await world.away(MINUTE_MS, owners("cancel_all"))
    await world.covered()
    assert sum(order.amount for order in world.stops()) >= world.size() > 0


# ----------------------------------------------------------------------------- what is the owner's


@case(
    "an order of the owner's rests on the traded instrument",
    "leaves it alone and says so; opens nothing until it is gone",
)
async def _foreign_order(world: Downtime) -> None:
    await world.enter()
    price = Decimal(40_000)
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", SMALL, price=price))
    (order,) = world.scene.live(ours=False)
    assert any(order.order_id in key for key in world.state.foreign)
    assert world.stops()
    await world.inflict(owners("cancel", order_id=order.order_id))


@case(
    "the owner opened a position on the traded instrument",
    "leaves it alone and says so: no stop, no close; opens nothing until it is gone",
)
async def _foreign_position(world: Downtime) -> None:
    await world.arm()
    await world.ask(Disarm(reason="flat for the owner", close=True))
    await world.flat()
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", SMALL))
    assert world.state.position is not None
    assert not world.state.position.ours
    assert world.size() == SMALL
    assert not world.scene.live(ours=True)
    await world.inflict(lambda scene: _trade(scene, "sell", SMALL, reduce_only=True))


@case(
    "the owner opened a position on another instrument",
    "the same, and our own trade stays guarded",
)
async def _foreign_elsewhere(world: Downtime) -> None:
    await world.enter()
    other, one = "BTC_USDC-PERPETUAL", Decimal("0.001")
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", one, instrument_name=other))
    assert any(other in text for text in (*world.state.foreign, *world.state.foreign.values()))
    assert sum(order.amount for order in world.stops()) == world.size()
    await world.inflict(
        lambda scene: _trade(scene, "sell", one, instrument_name=other, reduce_only=True)
    )


@case(
    "the exchange liquidated the position",
    "counts the trade as a liquidation, from the exchange's own fills, and halts: the limits that "
    "were to prevent it have failed",
)
async def _liquidated(world: Downtime) -> None:
    await world.enter()
    await world.away(MINUTE_MS, owners("liquidate", steps=STEPS))
    await world.flat()
    (trade,) = world.trades()
    assert trade.exit_reason == "liquidation"
    assert world.state.halted is not None


@case(
    'the owner opened a position, and `foreign.positions = "adopt"`',
    "takes it over once it has stood for 15 s: a stop at `adopted_stop_percent`, and its end is a "
    "trade",
    foreign=ForeignSection(positions="adopt"),
)
async def _position_adopted(world: Downtime) -> None:
    await _flat_and_owner_opens(world)
    await world.shows(lambda s: s.position is not None and s.position.ours, "its adoption")
    await world.covered()
    assert sum(order.amount for order in world.stops()) == SMALL


@case(
    'the owner opened a position, and `foreign.positions = "close"`',
    "closes it, reduce-only, once it has stood for 15 s",
    foreign=ForeignSection(positions="close"),
)
async def _position_closed(world: Downtime) -> None:
    await _flat_and_owner_opens(world)
    await world.shows(lambda s: s.position is None and s.counters.trades == 2, "its close")
    assert world.size() == 0


@case(
    'an order of the owner\'s rests, and `foreign.orders = "close"`',
    "says so in the log, and cancels it by its id after 15 s",
    foreign=ForeignSection(orders="close"),
)
async def _order_cancelled(world: Downtime) -> None:
    await world.enter()
    price = Decimal(40_000)
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", SMALL, price=price))
    await world.until(lambda: not world.scene.live(ours=False), "the end of the owner's order")
    assert any(isinstance(event, CancelIntended) for event in world.events())
    assert world.stops()


async def _flat_and_owner_opens(world: Downtime) -> None:
    await world.arm()
    await world.covered()
    await world.ask(Disarm(reason="flat for the owner", close=True))
    await world.flat()
    await world.away(MINUTE_MS, lambda scene: _trade(scene, "buy", SMALL))


# ------------------------------------------------------------------------------------- the store


@case(
    "the store was lost with a position open",
    "adopts the position and its orders by their labels, of another epoch than its own, and guards "
    "them; nothing is opened beside them",
    goes_on=False,
)
async def _store_lost(world: Downtime) -> None:
    await world.enter()
    size, stops = world.size(), {order.order_id for order in world.stops()}
    world.kill()
    world.lose_disk()
    world.machine.start()
    await world.recovered()
    assert world.size() == size
    assert {order.order_id for order in world.stops()} >= stops
    assert world.state.position is not None
    assert world.state.position.ours


# -------------------------------------------------------------------------------- the connection


@case(
    "the stop fired while the connection was lost",
    CLOSED + "; before that read nothing may be opened",
)
async def _fired_while_cut(world: Downtime) -> None:
    await world.enter()
    world.cut()
    await world.inflict(outcomes.gap_stop)
    await world.shows(lambda state: state.counters.trades == 1, "the trade")
    await world.flat()
    (trade,) = world.trades()
    assert trade.exit_reason == "stop"


def _trade(scene: Scene, side: str, amount: Decimal, **more: object) -> None:
    """The owner trades at the market, or leaves an order with a price."""
    order = {"instrument_name": scene.instrument, "amount": abs(amount), "side": side, **more}
    order["type"] = "limit" if "price" in more else "market"
    assert scene.own("admin/order", **order) is not None
