"""What the exchange can make of the moment in which a process dies, and which of it can differ.

    done      what is on its way to the exchange arrives and is executed; nobody hears the answer
    lost      what is on its way vanishes
    part      the book holds only a part of what is ordered; if nothing is, the market goes through
              our stop while we are down, and only a part of it is filled
    late      an order call that is on its way is executed late, within its ``valid_until``
    too-late  it is due after its ``valid_until``
    twice     every answer to an order call and every notification of the account comes twice, from
              the first start on

An outcome that changes nothing at a point (nothing is on its way, nothing can be filled) is the
same death as "done" there and not tried again. "twice" is a world of its own, since it changes
what happens before the death as well.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from chaos.enumerate import frames
from chaos.enumerate.points import ON_DISK, Point
from chaos.sim.machine import Process
from chaos.sim.reaper import Deed
from chaos.world.faults_scene import Scene
from tradebaas.paper.faults import Rule
from tradebaas.paper.instruments import INSTRUMENTS

LATE_MS = 9_000
TOO_LATE_MS = 14_000
"""Exchange time; at the rate of these worlds an order is valid for 12 s."""
AMOUNT = Decimal(20_000)
"""About what an entry of these worlds is for, in the quote currency."""
LEVELS = 5
"""Price levels of a thin book."""
LONG_MS = 600_000
"""A thin book lasts until it is said to be full again, which is sooner."""
BEYOND = Decimal(1)
"""How far a gap goes beyond a stop, in the quote currency."""


class Outcome(StrEnum):
    """One of the above."""

    DONE = "done"
    LOST = "lost"
    PART = "part"
    LATE = "late"
    TOO_LATE = "too-late"
    TWICE = "twice"


class Doom(Struct, frozen=True):
    """A way to die at a point: by SIGKILL, or by a power cut."""

    outcome: Outcome
    deed: Deed


def under_way(process: Process) -> list[str]:
    """The methods of the calls that the process has written and the exchange has not read."""
    chunks = [chunk for end in process.host.ends for chunk in end.connection.up.under_way]
    return [message.method for chunk in chunks for message in frames.messages(chunk)]


def usual(point: Point, outcome: Outcome, turn: int = 0) -> Doom:
    """One death for a point: on the disk by SIGKILL and by a power cut in turn, else by SIGKILL.

    ``turn`` is the number of the first death. Second deaths lie an even number of points apart, and
    as far from it as well: so the turns go by pairs of points.
    """
    power = point.kind in ON_DISK and (point.number + turn) // 2 % 2
    return Doom(outcome, Deed.POWER if power else Deed.SIGKILL)


def dooms(point: Point, calls: Iterable[str], *, exposed: bool, twice: bool) -> list[Doom]:
    """All deaths that differ at a point. ``calls`` are on their way; ``exposed``: a position is
    open. ``twice``: this is a world in which everything comes twice."""
    deeds = (Deed.SIGKILL, Deed.POWER) if point.kind in ON_DISK else (Deed.SIGKILL,)
    if twice:
        return [Doom(Outcome.TWICE, deed) for deed in deeds]
    changing = not frames.CHANGING.isdisjoint(calls)
    found = [Doom(Outcome.DONE, deed) for deed in deeds]
    found += [Doom(Outcome.LOST, Deed.SIGKILL)] if any(calls) else []
    found += [Doom(Outcome.PART, usual(point, Outcome.PART).deed)] if changing or exposed else []
    found += [Doom(late, Deed.SIGKILL) for late in (Outcome.LATE, Outcome.TOO_LATE) if changing]
    return found


# ------------------------------------------------------------------ what is done for each of them


def lose(process: Process) -> None:
    """Break the connections of a process, with whatever is under way."""
    for end in process.host.ends:
        end.connection.cut()


def thin(scene: Scene, amount: Decimal) -> None:
    """From now on the book holds no more than ``amount``, and market orders do not wait."""
    item = INSTRUMENTS[scene.instrument]
    level = max(item.floor_amount(amount / LEVELS), item.contract_size)
    scene.front.own("admin/thin", {"thin": "cancel", "for_ms": LONG_MS})
    scene.front.own("admin/depth", {"instrument_name": scene.instrument, "amount": level})


def deepen(scene: Scene) -> None:
    """The book is full again."""
    scene.front.own("admin/thin", {"thin": "no", "for_ms": 0})
    scene.front.own("admin/depth", {"instrument_name": scene.instrument, "amount": None})


def gap_stop(scene: Scene) -> bool:
    """Have the market gap through our stop; False when there is none."""
    return _gap(scene, stop=True)


def gap_take(scene: Scene) -> bool:
    """Have the market gap through our take profit; False when there is none."""
    return _gap(scene, stop=False)


def _gap(scene: Scene, *, stop: bool) -> bool:
    for order in scene.live(ours=True):
        if order.is_live_stop is stop and order.level is not None:
            beyond = BEYOND if order.waits_for_rise else -BEYOND
            scene.front.own("admin/price", {"price": order.level + beyond})
            return True
    return False


def _part(scene: Scene) -> None:
    size = abs(scene.size)
    thin(scene, (size or AMOUNT) / 2)
    if size:
        gap_stop(scene)


def _queue(delay_ms: int) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.front.faults.arm(Rule("queue", frames.CHANGING, delay_ms=delay_ms))

    return act


AT_THE_EXCHANGE: dict[Outcome, Callable[[Scene], None]] = {
    Outcome.PART: _part,
    Outcome.LATE: _queue(LATE_MS),
    Outcome.TOO_LATE: _queue(TOO_LATE_MS),
}
"""What is done to the exchange in the instant of the death; the other outcomes need nothing."""
