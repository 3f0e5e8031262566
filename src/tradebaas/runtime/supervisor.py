"""Starts the crew again when it dies, and knows when to stop trying.

A *life* is one run of the crew in one nursery: when one actor dies, Trio cancels the others (OTP's
one_for_all). ``supervise`` runs life after life. It catches ordinary exceptions, and it is the
only place in the program that does; everything else must let them pass. What it sees is always
the whole exception group, never one member of it, so that no cause is lost.

    Fatal in the group          the process ends with it: starting again cannot help
    budget spent                the process ends with ``BudgetSpent``: systemd starts a new one
    anything else               back off, then a new life
    cancellation, Ctrl-C        passes through untouched

Two deaths of one kind in a row make the next life a protect-only one, without the strategy: a
poison input must never leave a position unmanaged. ``forgive_after`` seconds of life wipe the
slate: budget, backoff and protect-only start afresh.
"""

import contextlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self, final

import trio

from tradebaas.errors import BudgetSpent, Fatal
from tradebaas.runtime.mailbox import LifeEnded
from tradebaas.runtime.ports import Clock, Entropy

BACKOFF_S = (0.0, 0.1, 0.5, 2.0, 8.0)
"""Seconds to wait after the first, second, ... death since the slate was clean; then the last."""

JITTER = 0.2
"""Each wait is multiplied by a number from 1 - JITTER to 1 + JITTER."""

OUTSIDE = "crew"
"""The actor's name for exceptions that come from no actor, but from what holds them together."""


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """How often a crew may die: more than ``deaths`` within ``period`` seconds ends the process.

    Chosen burst first, as OTP advises: four deaths is what a short outage may cost, and the period
    is as long as a person would bear to read the same death in the log.
    """

    deaths: int = 4
    period: float = 300.0
    forgive_after: float = 120.0


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of a death: the actor's name and the name of the exception's class."""

    actor: str
    error: str

    def __str__(self) -> str:
        return f"{self.actor} {self.error}"


@final
@dataclass(frozen=True, slots=True)
class LifePlan:
    """What a new life is told: its number in this process (from 1) and why the last one died.

    ``repeat`` asks for a protect-only life without the strategy.
    """

    life: int = 1
    causes: tuple[Cause, ...] = ()
    repeat: bool = False


@final
@dataclass(frozen=True, slots=True)
class DeathReport:
    """What the log and the metrics are told about a death.

    ``error`` is all of it, to be logged whole. ``lived`` and ``backoff`` are seconds; ``backoff``
    is None when no further life follows. ``deaths`` counts those that the budget still remembers.
    """

    life: int
    causes: tuple[Cause, ...]
    error: Exception
    lived: float
    deaths: int
    backoff: float | None


@final
class ActorDied(ExceptionGroup[Exception]):
    """The exceptions that ended one actor: a branch of the life's exception group.

    A group, not a plain exception with a cause, so that splitting and printing keep every leaf.
    """

    actor: str

    def __new__(cls, actor: str, errors: Sequence[Exception]) -> Self:
        self = super().__new__(cls, f"actor {actor} died", errors)
        self.actor = actor
        return self

    def derive(self, excs: Sequence[Exception], /) -> "ActorDied":  # type: ignore[override]
        return ActorDied(self.actor, excs)


@contextlib.contextmanager
def named(actor: str) -> Iterator[None]:
    """Whatever ordinary exception leaves this block leaves it in an ``ActorDied(actor)``.

    A cancellation that is mixed in passes through beside it.
    """
    try:
        yield
    except* Exception as group:  # noqa: BLE001 - named, and raised again whole
        raise ActorDied(actor, group.exceptions) from None


def leaves(error: BaseException, actor: str = OUTSIDE) -> Iterator[tuple[str, BaseException]]:
    """Every single exception in ``error``, with the name of the actor that it ended."""
    if isinstance(error, ActorDied):
        actor = error.actor
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from leaves(member, actor)
    else:
        yield actor, error


def causes_of(error: BaseException) -> tuple[Cause, ...]:
    """The distinct causes in ``error``, in order.

    ``LifeEnded`` is left out beside others: it tells that another actor was gone already.
    """
    found = list(leaves(error))
    real = [(actor, leaf) for actor, leaf in found if not isinstance(leaf, LifeEnded)]
    causes = (Cause(actor, type(leaf).__name__) for actor, leaf in real or found)
    return tuple(dict.fromkeys(causes))


def find_fatal(error: BaseException) -> Fatal | None:
    """The ``Fatal`` in ``error``, if any; of several the one with the highest exit code.

    The highest says most: 78 (nobody should start it again) beats 75 beats 70.
    """
    fatals = [leaf for _, leaf in leaves(error) if isinstance(leaf, Fatal)]
    return max(fatals, key=lambda fatal: fatal.exit_code, default=None)


@final
class DeathBook:
    """Counts deaths against a budget. Pure: told the time, never asks for it."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._deaths: deque[tuple[float, tuple[Cause, ...]]] = deque()
        self._last: frozenset[Cause] = frozenset()
        self.repeat = False

    def record(self, causes: tuple[Cause, ...], born: float, died: float) -> None:
        """Note the death of a life that lasted from ``born`` to ``died`` (monotonic seconds)."""
        if died - born >= self._budget.forgive_after:
            self._deaths.clear()
            self._last = frozenset()
            self.repeat = False
        self._deaths.append((died, causes))
        while died - self._deaths[0][0] > self._budget.period:
            self._deaths.popleft()
        self.repeat = self.repeat or not self._last.isdisjoint(causes)
        self._last = frozenset(causes)

    @property
    def count(self) -> int:
        """How many deaths are remembered: at most one more than the budget allows."""
        return len(self._deaths)

    @property
    def spent(self) -> bool:
        """Whether there were more deaths than the budget allows."""
        return self.count > self._budget.deaths

    @property
    def backoff(self) -> float:
        """Seconds to wait before the next life, without jitter."""
        return BACKOFF_S[min(self.count, len(BACKOFF_S)) - 1]

    def __str__(self) -> str:
        counted = Counter(str(cause) for _, causes in self._deaths for cause in causes)
        causes = ", ".join(f"{cause} x{times}" for cause, times in counted.items())
        return f"{self.count} deaths within {self._budget.period:g} s ({causes})"


async def supervise(
    start_life: Callable[[LifePlan], Awaitable[None]],
    *,
    clock: Clock,
    entropy: Entropy,
    budget: Budget,
    on_death: Callable[[DeathReport], None],
    stop: trio.Event,
) -> None:
    """Run life after life, until one returns by itself or ``stop`` is set when one dies.

    ``start_life`` runs one life and returns only when it was asked to end. ``stop`` does not end
    it; it only says that no other may follow. ``on_death`` is called for every death, before the
    backoff or before the exception that ends the process.

    Raises:
        Fatal: A life died of it; the whole group is its ``__cause__``.
        BudgetSpent: More deaths than ``budget`` allows.
    """
    book = DeathBook(budget)
    plan = LifePlan()
    while True:
        born = clock.monotonic()
        error = await _live(start_life, plan)
        if error is None:
            return
        report = _judge(book, plan, error, (born, clock.monotonic()), entropy)
        on_death(report)
        if report.backoff is None:
            _give_up(book, error)
        if await _stopped_within(stop, report.backoff):
            return
        plan = LifePlan(plan.life + 1, report.causes, book.repeat)
        del error, report  # they hold every frame of the dead life


async def _live(
    start_life: Callable[[LifePlan], Awaitable[None]], plan: LifePlan
) -> Exception | None:
    """Run one life; return what it died of, or None if it ended in order."""
    try:
        await start_life(plan)
    except Exception as error:  # noqa: BLE001 - the one place: any ordinary exception ends a life
        return error
    return None


def _judge(
    book: DeathBook,
    plan: LifePlan,
    error: Exception,
    span: tuple[float, float],
    entropy: Entropy,
) -> DeathReport:
    """Enter the death in the book and decide whether another life follows, and after how long."""
    born, died = span
    causes = causes_of(error)
    book.record(causes, born, died)
    ends = book.spent or find_fatal(error) is not None
    backoff = None if ends else book.backoff * entropy.uniform(1 - JITTER, 1 + JITTER)
    return DeathReport(plan.life, causes, error, died - born, book.count, backoff)


def _give_up(book: DeathBook, error: Exception) -> NoReturn:
    """End the process, with everything that was known as the cause."""
    fatal = find_fatal(error)
    if fatal is None:
        raise BudgetSpent(
            f"the crew died too often to be started again in this process: {book}. The log has "
            "each death in full; systemd starts a new process, which recovers from the store"
        ) from error
    if fatal is error:
        raise fatal
    raise fatal from error


async def _stopped_within(stop: trio.Event, seconds: float) -> bool:
    """Sleep, but no longer than until ``stop`` is set; say whether it is."""
    with trio.move_on_after(seconds):
        await stop.wait()
    return stop.is_set()
