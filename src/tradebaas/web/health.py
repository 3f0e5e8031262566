"""How the daemon is: one table of checks, and the verdict that follows from it.

    unhealthy   the daemon cannot protect a position: no crew is up, or its store fails
    degraded    anything else is amiss; the daemon still protects what is open
    healthy     nothing is amiss

``observe`` gathers the facts once (and pings the persister); the rest is pure functions of them.
No check may trigger anything: safety facts drive alerts, never a restart.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import final

from msgspec import Struct

from tradebaas.board import BackupStatus, Board, ClockStatus, LinkStatus, Vitals
from tradebaas.core import elsewhere
from tradebaas.core.messages import Ping
from tradebaas.core.state import State, barrier, naked_amount, waiting_reason
from tradebaas.names import command
from tradebaas.runtime.mailbox import AskTimeout, LifeEnded
from tradebaas.web.shell import Shell
from tradebaas.words import NOT_CONNECTED, NOT_YET

PING_SECONDS = 5.0
MEMORY_LIMIT_PERCENT = 90.0
BACKUPS_MISSED = 2
"""A backup is overdue when this many intervals have passed without a new one."""

RECOVERING = "recovering: the crew is starting"


class Status(StrEnum):
    """The verdict, as ``/health`` and monitoring name it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """What was true at one moment.

    ``board`` stands still: whatever is shown of these facts is of that moment, whenever it is read.
    ``now`` is monotonic seconds, ``wall_ms`` the wall clock. ``view`` may be of an earlier life
    while ``life_up`` is False. ``unanswered`` says why the persister did not answer a ping; "" if
    it did or was not asked.
    """

    shell: Shell
    board: Board
    life_up: bool
    now: float
    wall_ms: int
    unanswered: str = ""

    @property
    def view(self) -> State | None:
        return self.board.view.value

    @property
    def alive(self) -> bool:
        """Whether a crew is up whose store is recovered."""
        return self.life_up and self.view is not None

    @property
    def link(self) -> LinkStatus:
        return self.board.link.value or LinkStatus(up=False, detail=NOT_YET)

    @property
    def clock(self) -> ClockStatus | None:
        """What the reconciler measured last; None before its first login."""
        return self.board.clock.value

    @property
    def vitals(self) -> Vitals | None:
        return self.board.vitals.value

    @property
    def connected(self) -> bool:
        """A dead life's link is closed, whatever it published last."""
        return self.life_up and self.link.up

    @property
    def uptime(self) -> float:
        """Seconds since the process started."""
        return self.now - self.shell.started_at

    @property
    def backup_age(self) -> float | None:
        """Seconds since the newest verified backup, None when there is none."""
        return self.age_of(lambda status: status.last_ms)

    def age_of(self, made: Callable[[BackupStatus], int | None]) -> float | None:
        """Seconds since something of the backups was done; None when it never was."""
        status = self.board.backup.value
        made_ms = None if status is None else made(status)
        return None if made_ms is None else max(self.wall_ms - made_ms, 0) / 1000

    @property
    def permit(self) -> bool:
        """Whether an order that adds risk could be admitted now."""
        view = self.view
        if view is None or not self.life_up:
            return False
        return not (barrier(view) or waiting_reason(view))


def glance(shell: Shell) -> Facts:
    """The facts of this moment as far as they are published."""
    clock = shell.clock
    return Facts(shell, shell.board.still(), shell.life_up(), clock.monotonic(), clock.wall_ms())


async def observe(shell: Shell) -> Facts:
    """The facts of this moment; waits at most ``PING_SECONDS`` for the persister to answer."""
    unanswered = RECOVERING
    if shell.life_up():
        try:
            await shell.door.ask(Ping(), within=PING_SECONDS)
            unanswered = ""
        except LifeEnded:
            pass
        except AskTimeout:
            unanswered = f"the persister has not answered for {PING_SECONDS:g} s; see the disk"
    return replace(glance(shell), unanswered=unanswered)


class Finding(Struct, frozen=True):
    """The result of one check; ``detail`` says what is amiss, "" when it is ok."""

    ok: bool
    detail: str


def findings(facts: Facts) -> dict[str, Finding]:
    """The result of every check, by name."""
    results = {check.name: _run(check, facts) for check in CHECKS}
    return {name: Finding(not problem, problem) for name, problem in results.items()}


def verdict(results: dict[str, Finding]) -> Status:
    """The worst that any failed check calls for."""
    failed = [check.failing for check in CHECKS if not results[check.name].ok]
    if Status.UNHEALTHY in failed:
        return Status.UNHEALTHY
    return Status.DEGRADED if failed else Status.HEALTHY


# ------------------------------------------------------------------- what each check finds amiss


def _life(facts: Facts, _view: State) -> str:
    return "" if facts.alive else RECOVERING


def _store(facts: Facts, _view: State) -> str:
    store = facts.board.store.value
    return store.fault if store is not None and store.fault else facts.unanswered


def _broker(facts: Facts, _view: State) -> str:
    link = facts.link
    why = link.detail.removeprefix(f"{link.url}: ")
    return "" if link.up else f"{NOT_CONNECTED} to {link.url or 'the exchange'}: {why}"


def _reconciled(_facts: Facts, view: State) -> str:
    done = view.connection != 0 and view.reconciled == view.connection
    return "" if done else "not reconciled with the exchange since the last connect"


def _protected(_facts: Facts, view: State) -> str:
    naked = naked_amount(view)
    bare = [f"{naked} of the position"] if naked else []
    bare += [f"{amount} of that in {name}" for name, amount in elsewhere.naked(view).items()]
    return f"{', '.join(bare)} has no live stop" if bare else ""


def _orders_known(_facts: Facts, view: State) -> str:
    unknown = [label for label, pending in view.pending.items() if pending.unknown]
    return f"outcome not proven: {', '.join(unknown)}" if unknown else ""


def _no_foreign(_facts: Facts, view: State) -> str:
    return "; ".join(view.foreign.values())


def _not_protect_only(_facts: Facts, view: State) -> str:
    return "; ".join(f"protect-only, {cause}: {why}" for cause, why in view.protect.items())


def _not_halted(_facts: Facts, view: State) -> str:
    latch = view.halted
    if latch is None:
        return ""
    return f"halted by {latch.by}: {latch.reason}; `{command('resume')}` lifts it"


def _backup(facts: Facts, _view: State) -> str:
    status = facts.board.backup.value
    if status is not None and status.failure:
        return f"the last backup failed: {status.failure}"
    if status is not None and status.second_failure:
        return status.second_failure
    if status is not None and status.made_room:
        return f"the disk is low: {status.made_room} backups were removed early for the newest"
    age = facts.uptime if facts.backup_age is None else facts.backup_age
    if age <= BACKUPS_MISSED * facts.shell.config.backups.interval_seconds:
        return ""
    return f"no new backup for {age:.0f} s"


def _memory(facts: Facts, _view: State) -> str:
    used = facts.vitals.memory_percent if facts.vitals is not None else 0.0
    return "" if used < MEMORY_LIMIT_PERCENT else f"{used:.0f} % of memory is in use"


@final
@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table.

    ``failing`` is the verdict when ``problem`` finds something amiss. A check with ``in_life``
    means nothing without a crew and is not run then.
    """

    name: str
    failing: Status
    problem: Callable[[Facts, State], str]
    in_life: bool = True


CHECKS: tuple[Check, ...] = (
    Check("life", Status.UNHEALTHY, _life, in_life=False),
    Check("store", Status.UNHEALTHY, _store, in_life=False),
    Check("broker", Status.DEGRADED, _broker),
    Check("reconciled", Status.DEGRADED, _reconciled),
    Check("protected", Status.DEGRADED, _protected),
    Check("orders_known", Status.DEGRADED, _orders_known),
    Check("nothing_foreign", Status.DEGRADED, _no_foreign),
    Check("not_protect_only", Status.DEGRADED, _not_protect_only),
    Check("not_halted", Status.DEGRADED, _not_halted),
    Check("backup", Status.DEGRADED, _backup),
    Check("memory", Status.DEGRADED, _memory),
)


def _run(check: Check, facts: Facts) -> str:
    if check.in_life and not facts.alive:
        return "not known while the crew is starting"
    return check.problem(facts, facts.view or State())
