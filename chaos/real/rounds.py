"""One round: steer, kill, meddle, restart, recover, clear the mess. Judges nothing.

What happens in a round is drawn from shuffled decks, so that each kind comes up often and none is
left to luck alone; the seed fixes the draws. What the machine and the market make of them differs
from run to run: the processes are real.
"""

import random
import time
from dataclasses import dataclass, field

from chaos.real import nemesis, steer
from chaos.real.driver import Driver, Kill, Stuck
from chaos.real.lock import held_commit
from chaos.real.processes import Point
from chaos.world.deck import Deck
from tradebaas.core.model import Phase
from tradebaas.core.state import State

ACTORS = ("strategy", "persister", "reconciler", "backups", "metrics")
CLEAN_LIMIT_S = 3.0
TRACED_LIMIT_S = 2.5


@dataclass(slots=True)
class Round:
    """What was done in a round and how it went; seconds. ``notes`` are for a person."""

    number: int
    target: Phase
    kind: str
    notes: list[str] = field(default_factory=list)
    recovery: float = 0.0
    settle: float = 0.0
    own: float = 0.0
    took: float = 0.0


OPENINGS: dict[str, tuple[Phase, ...]] = {
    "resend": (Phase.ENTERING_POSITION,) * 4,
    "forget-stop": (Phase.POSITION_OPEN,) * 4,
}
"""The first targets under a breakage: an entry without an answer, a position to take the stop of.

One that shows in any state needs none: ``ack-first`` is caught by the first kill, in mid-commit.
"""


def opening(broken: str) -> list[Phase]:
    """The targets that a campaign with this breakage begins with."""
    return list(OPENINGS.get(broken, ()))


class Table:
    """The decks of a campaign."""

    def __init__(self, rng: random.Random, *, strace: bool, broken: str = "") -> None:
        self.rng = rng
        self.actors = Deck(rng, ACTORS)
        first = ["plain"] if broken in ("resend", "forget-stop") else []
        moments = ("plain", "later", "at answer", "commit held")
        self.moments = Deck(rng, moments, ["commit held", *first])
        after = ("plain",) * 4 + ("again", "again, recovering")
        traced = ("fdatasync", "sendto") if strace else ()
        self.after = Deck(rng, (*after, *traced), ["plain"])
        self.holding = Deck(rng, nemesis.HOLDING, ["remove stop"])
        self.flat = Deck(rng, nemesis.FLAT)
        self.nths = {"fdatasync": 12, "sendto": 40}


def play(driver: Driver, table: Table, number: int, target: Phase) -> Round:
    """Play one round up to a recovered daemon with a clean account.

    Raises:
        Stuck: something that had to happen did not.
    """
    began = time.monotonic()
    kind = "actor" if number % 2 else "process"
    played = Round(number, target, kind)
    played.notes.append(steer.steer(driver, target))
    early = table.rng.random() < 0.5
    if early and target not in (Phase.SIGNAL_DETECTED, Phase.ENTERING_POSITION):
        played.notes.append(nemesis.disturb(driver))
    driver.look()
    life = driver.peek().life
    if kind == "actor":
        kill = _kill_actor(driver, table, played)
        steer.relax(driver)
        began_recovery = kill.killed_at
    else:
        _kill_process(driver, table, played)
        steer.relax(driver)
        _meddle(driver, table, played)
        life = _restart(driver, table, played, life)
        began_recovery = driver.daemon.spawned_at
    recovered_at = driver.await_recovery(life)
    report = driver.story.reports[driver.state.life]
    played.settle, played.own = report.settle_seconds, report.recovered_seconds
    played.recovery = max(recovered_at - began_recovery - played.settle, 0.0)
    if not early:
        played.notes.append(nemesis.disturb(driver))
    clear(driver, played)
    played.took = time.monotonic() - began
    return played


def _kill_actor(driver: Driver, table: Table, played: Round) -> Kill:
    """Kill one actor, sometimes a second one while the crew recovers."""
    actor = table.actors.draw()
    kill = driver.kill_actor(actor)
    if kill is None:
        raise Stuck(driver.describe(f"the daemon did not take the kill of {actor}"))
    played.notes.append(actor)
    if table.rng.random() < 0.2:
        time.sleep(table.rng.random() * 0.06)
        second = table.actors.draw()
        again = driver.kill_actor(second)
        if again is not None:
            played.notes.append(f"then {second}")
            _await_death(driver, kill, again)
            return again
    return kill


def _await_death(driver: Driver, first: Kill, second: Kill) -> None:
    """Let the second kill take effect: it may hit the dying life, or the next one."""
    time.sleep(0.02)
    driver.peek()
    driver.kinds[driver.state.life] = "actor"
    assert second.killed_at >= first.killed_at


def _kill_process(driver: Driver, table: Table, played: Round) -> None:
    moment = table.moments.draw()
    match moment:
        case "at answer":
            _toggle(driver, 3.0)
        case "commit held":
            driver.api()
            with held_commit(driver.daemon.store):
                _toggle(driver, 0.12)
                driver.kill_process()
        case "later":
            time.sleep(table.rng.random() * 0.4)
        case _:
            time.sleep(table.rng.random() * 0.02)
    if moment != "commit held":
        driver.kill_process()
    played.notes.append(moment)


def _toggle(driver: Driver, limit: float) -> None:
    """A command that is always allowed: start when stopped, stop when started."""
    path = "/api/strategy/stop" if driver.peek().armed else "/api/strategy/start"
    driver.command(path, {}, limit)


def _meddle(driver: Driver, table: Table, played: Round) -> None:
    """The next act on the account while the daemon is down."""
    deck = table.holding if nemesis.holding(driver) else table.flat
    played.notes.append(nemesis.ACTS[deck.draw()](driver))


def _restart(driver: Driver, table: Table, played: Round, life: int) -> int:
    """Start again, perhaps to die again on the way; the life that recovery must come after."""
    after = table.after.draw()
    if after in table.nths:
        nth = table.rng.randint(1, table.nths[after])
        played.notes.append(f"strace {after} {nth}")
        life = _die_traced(driver, Point(after, nth))
    elif after != "plain":
        played.notes.append(f"killed {after}")
        life = _die_again(driver, table, after, life)
    driver.start()
    return life


def _die_again(driver: Driver, table: Table, how: str, life: int) -> int:
    """A second SIGKILL soon after the restart; in half of the cases once the new life began."""
    driver.start()
    if how == "again, recovering":
        driver.try_wait(lambda s: s.life > life, 5.0)
        time.sleep(table.rng.random() * 0.15)
    else:
        time.sleep(0.05 + table.rng.random() * 0.35)
    driver.kill_process(detail=how)
    return driver.state.life


def _die_traced(driver: Driver, point: Point) -> int:
    """Run under strace until it kills at its point, or for a while."""
    life = driver.state.life
    driver.start(point)
    until = time.monotonic() + TRACED_LIMIT_S
    while driver.daemon.running and time.monotonic() < until:
        state = driver.peek()
        if state.life > life and state.life in driver.story.reports:
            steer.jump(driver, steer.NUDGE if driver.rng.random() < 0.5 else -steer.NUDGE)
        time.sleep(0.05)
    if not driver.daemon.wait_dead(0.0):
        driver.kill_process("process", "strace point not reached")
    return driver.state.life


def clear(driver: Driver, played: Round) -> None:
    """Undo the driver's own mess; then nothing may keep the daemon from trading but a halt.

    A protect-only that the mess caused ends with a full read that finds nothing of ours, so the
    position is closed and the connection cut, which makes the daemon read at once.

    Raises:
        Stuck: it stays protect-only or in quarantine.
    """
    if _free(driver.read_store()):
        return
    played.notes.append(nemesis.clear_mess(driver))
    if not driver.state.protect and driver.try_wait(_free, CLEAN_LIMIT_S):
        return
    steer.flatten(driver)
    driver.admin.call("admin/disconnect")
    driver.wait(_free, "the end of quarantine and protect-only after the mess was cleared")


def _free(state: State) -> bool:
    owners = state.position is not None and not state.position.ours
    return not state.foreign and not state.protect and not owners
