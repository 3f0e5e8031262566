"""One round as its fault sees it: the driver, the draws, what is noted and what is found.

A scene also knows what became of the daemon's process, brings it back, and measures how long that
took. Nothing here judges ledgers; what a fault demands beyond that becomes a violation here.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.real import nemesis
from chaos.real.driver import POLL_S, Driver, Stuck
from chaos.real.fault import End
from chaos.world.oracle import Violation
from tradebaas.core.model import Phase
from tradebaas.core.state import State

READY_LIMIT_S = 15.0
_BY_SIGNAL = {-signal.SIGKILL: End.KILLED, -signal.SIGABRT: End.ABORTED}
_BY_CODE = {0: End.STOPPED, 70: End.SPENT, 75: End.STORE, 78: End.REFUSED}


@dataclass(slots=True)
class Round:
    """What was done in a round and how it went; seconds. ``notes`` are for a person.

    ``phase`` is the state that the fault struck in, ``end`` what became of the process. ``settle``
    and ``own`` are the daemon's own figures, of the life that recovered; ``renewed`` says that
    there was a new one.
    """

    number: int
    target: Phase
    fault: str
    notes: list[str] = field(default_factory=list)
    phase: Phase = Phase.IDLE
    end: End = End.LIVES
    renewed: bool = False
    recovery: float = 0.0
    settle: float = 0.0
    own: float = 0.0
    took: float = 0.0


@dataclass(slots=True)
class Scene:
    """A round under way. ``life`` is the one that the fault struck; ``mended_at`` monotonic.

    ``must_die`` says that this life has to end, though the process may go on.
    """

    driver: Driver
    played: Round
    owner: bool = False
    life: int = 0
    restored: bool = False
    must_die: bool = False
    mended_at: float = 0.0
    found: list[Violation] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something for the line of this round."""
        self.played.notes.append(text)

    def demand(self, good: bool, check: str, text: str) -> None:
        """What must be true; ``check`` is the invariant that it belongs to."""
        if not good:
            number, fault = self.played.number, self.played.fault
            said = self.driver.describe(f"{fault}: {text}")
            self.found.append(Violation(check, f"round {number} {text}", said))

    def begin(self) -> None:
        """The fault is about to strike."""
        state = self.driver.peek()
        self.life, self.played.phase = state.life, state.phase

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

    # -------------------------------------------------------------------------- and comes back

    def end(self) -> End:
        """What became of the process so far.

        Raises:
            Stuck: It ended in a way that no contract names.
        """
        if self.restored:
            return End.RESTORED
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
        after = self.life if self.must_die else 0
        if not driver.daemon.running:
            after = driver.state.life
            if self.owner:
                deck = nemesis.HOLDING if nemesis.holding(driver) else nemesis.FLAT
                what = "holding" if deck is nemesis.HOLDING else "flat"
                self.note(nemesis.ACTS[driver.draw(what, deck)](driver))
            driver.start()
            self.mended_at = driver.daemon.spawned_at
        recovered_at = driver.await_recovery(after)
        life = driver.state.life
        played.renewed = life > self.life
        if played.renewed:
            report = driver.story.reports[life]
            played.settle, played.own = report.settle_seconds, report.recovered_seconds
        played.recovery = max(recovered_at - self.mended_at - played.settle, 0.0)

    def finish(self) -> None:
        """Name the deaths of this round: of the process, of an actor, or of the crew by itself."""
        kind = "process"
        if self.played.end is End.LIVES:
            kind = "actor" if self.must_die else "crew"
        for life in range(self.life, self.driver.state.life):
            self.driver.kinds[life] = kind
