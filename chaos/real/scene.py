"""One round as its fault sees it: the driver, the draws, what is noted and what is found.

A scene also knows what became of the daemon's process, brings it back, and measures how long that
took. Nothing here judges ledgers; what a fault demands beyond that becomes a violation here.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.real import nemesis, steer
from chaos.real.driver import INSTRUMENT, POLL_S, Driver, Stuck
from chaos.real.fault import End
from chaos.world.oracle import HaltWindow, Violation
from tradebaas.core.model import Phase
from tradebaas.core.state import State

BUSY_POLL_S = 0.02
ANY_SEQ = 1 << 62
DEMANDED = "demands of the fault"
"""What a fault holds against an invariant by itself."""
_BY_SIGNAL = {-signal.SIGKILL: End.KILLED, -signal.SIGABRT: End.ABORTED}
_BY_CODE = {0: End.STOPPED, 70: End.SPENT, 75: End.STORE, 78: End.REFUSED}


@dataclass(slots=True)
class Round:
    """What was done in a round and how it went; seconds. ``notes`` are for a person.

    ``phase`` is the state that the fault struck in, ``end`` what became of the process, ``renewed``
    whether another life recovered; ``settle`` is how long that one waited for unproven intents.
    ``recovery`` is None where neither the life nor its connection ended: nothing had to recover.
    """

    number: int
    target: Phase
    fault: str
    notes: list[str] = field(default_factory=list)
    phase: Phase = Phase.IDLE
    end: End = End.LIVES
    renewed: bool = False
    recovery: float | None = None
    settle: float = 0.0
    took: float = 0.0
    judging: float = 0.0


@dataclass(slots=True)
class Scene:
    """A round under way. ``life`` and ``link`` (its connection) are those that the fault struck.

    ``must_die`` says that this life has to end, though the process may go on; ``fate`` is its end
    where another process runs already, or a restore belongs to it. ``judge_anew``: the store was
    restored, and what it forgot cannot be judged. ``struck_at`` and ``mended_at`` are
    monotonic seconds; ``ways`` are all those at which a way to recover may have opened, and
    ``protecting`` says that it was protect-only when the fault was mended. ``checked`` counts what
    the fault demanded, by invariant.
    """

    driver: Driver
    played: Round
    owner: bool = False
    life: int = 0
    link: int = 0
    fate: End | None = None
    must_die: bool = False
    judge_anew: bool = False
    struck_at: float = 0.0
    mended_at: float = 0.0
    protecting: bool = False
    found: list[Violation] = field(default_factory=list)
    checked: Counter[tuple[str, str]] = field(default_factory=Counter)
    ways: list[float] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something for the line of this round."""
        self.played.notes.append(text)

    def demand(self, good: bool, check: str, text: str) -> None:
        """What must be true; ``check`` is the invariant that it belongs to."""
        self.checked[check, DEMANDED] += 1
        if not good:
            number, fault = self.played.number, self.played.fault
            said = self.driver.describe(f"{fault}: {text}")
            self.found.append(Violation(check, f"round {number} {text}", said))

    def begin(self) -> None:
        """The fault is about to strike."""
        state = self.driver.peek()
        self.life, self.link, self.played.phase = state.life, state.connection, state.phase
        self.struck_at = time.monotonic()
        self.ways.append(self.struck_at)
        keeper, pid = self.driver.stage.keeper, self.driver.daemon.pid
        if keeper is not None:
            silence = keeper.longest_silence(pid)
            self.demand(silence < keeper.seconds, "alive", f"no pat for {silence:.1f} s in health")

    def struck_dead(self, fate: End = End.KILLED) -> None:
        """The process that was struck is gone, and the fault starts the next one itself."""
        self.fate, self.must_die = fate, True

    def forget_story(self) -> None:
        """The store was restored from a backup: nothing of what was read of it holds any more."""
        self.driver.bury("process")
        self.driver.drop_story()
        self.life, self.must_die = 0, False

    def nothing_is_kept(self) -> None:
        """From here until the daemon comes back no commit succeeds: no entry may be sent then.

        What had been committed may still be on its way.
        """
        self.driver.witness.outages.append(HaltWindow(ANY_SEQ, self.driver.admin.n()))

    # --------------------------------------------------------------------------- while it lasts

    def watch(self, seconds: float, until: Callable[[State], bool] | None = None) -> bool:
        """Let time pass; True once ``until`` holds, False when time is over or the process ended.

        Unlike the driver's waits this one lets the process end: that may be what the fault does.
        """
        driver, over = self.driver, time.monotonic() + seconds
        while time.monotonic() < over and driver.daemon.running:
            if until is not None and until(driver.peek()):
                return True
            time.sleep(POLL_S)
        return False

    def is_link_new(self) -> bool:
        """Whether the connection that the fault struck is over."""
        state = self.driver.state
        return (state.life, state.connection) != (self.life, self.link)

    def is_linked_anew(self, state: State) -> bool:
        """Whether another connection is up, and the account was read through it."""
        return self.is_link_new() and 0 < state.connection == state.reconciled

    def entries(self) -> int:
        """How many entries have reached the exchange so far."""
        return sum(request.is_entry for request in self.driver.read_journal().requests)

    def stays_protected(self) -> None:
        """What rests at the exchange covers the position, whatever the daemon can do now."""
        bare = self.driver.read_journal().uncovered(INSTRUMENT)
        self.demand(not bare, "protected", f"{bare} of the position is not covered meanwhile")

    def mended(self) -> None:
        """From here on the daemon can recover, whether it could before or not."""
        self.mended_at = time.monotonic()
        self.protecting = bool(self.driver.state.protect)
        self.ways.append(self.mended_at)

    def busy(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Move the market with each bar, that there is something to do; True once ``until`` holds.

        A daemon that ends meanwhile ends the bustle.
        """
        driver, over, sign = self.driver, time.monotonic() + seconds, 1
        bar = driver.admin.bar()
        while time.monotonic() < over and driver.daemon.running:
            driver.peek()
            if until is not None and until():
                return True
            if driver.admin.bar() != bar:
                bar, sign = driver.admin.bar(), -sign
                steer.jump(driver, sign * steer.NUDGE)
            time.sleep(BUSY_POLL_S)
        return False

    # -------------------------------------------------------------------------- and comes back

    def end(self) -> End:
        """What became of the process so far.

        Raises:
            Stuck: It ended in a way that no contract names.
        """
        if self.fate is not None:
            return self.fate
        process = self.driver.daemon.process
        code = process.poll() if process is not None else None
        if code is None:
            return End.LIVES
        end = _BY_SIGNAL.get(code) or _BY_CODE.get(code)
        if end is None:
            raise Stuck(self.driver.describe(f"the daemon ended with exit code {code}"))
        return end

    def come_back(self) -> None:
        """Start the daemon again if it is down, and wait until it has recovered.

        Raises:
            Stuck: It does not recover in time.
        """
        driver, played = self.driver, self.played
        driver.end_outages()
        after = self.life if self.must_die else 0
        if not driver.daemon.running:
            after = driver.state.life
            if self.owner:
                self.note(nemesis.act(driver))
            driver.start()
        driver.await_recovery(after)
        life = driver.state.life
        played.renewed = life > self.life
        if played.renewed:
            played.settle = driver.story.reports[life].settle_seconds
        if driver.stage.keeper is not None:
            driver.stage.keeper.harmed(self.struck_at, time.monotonic())
        took = self.recovery()
        played.recovery = None if took is None else max(took - played.settle, 0.0)

    def recovery(self) -> float | None:
        """Seconds to the last recovery from when it became possible; None: there was none.

        It became possible when the process was started, or when the fault was mended, whichever is
        the later. A recovery that was over before the fault was mended was not held up by it.
        """
        driver = self.driver
        if driver.recovered == (self.life, self.link):
            return None
        ways = [at for at in (*self.ways, driver.daemon.spawned_at) if at < driver.recovered_at]
        return driver.recovered_at - max(ways)

    def finish(self, kind: str) -> None:
        """Name the deaths of this round: ``kind`` of the process, of an actor, or of the crew."""
        if self.played.end is End.LIVES:
            kind = "actor" if self.must_die else "crew"
        self.driver.bury(kind)
