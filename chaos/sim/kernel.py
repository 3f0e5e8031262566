"""One seed, one schedule: runs a world in Trio so that nothing but the seed decides what happens.

Time is virtual and jumps to the next deadline as soon as every task waits. The order in which
ready tasks run is drawn from the seed. Two names of Trio's that are private are used, both here and
nowhere else; ``tests/sim/test_kernel.py`` fails loudly when either changes:

    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING and _r    the order of a batch of ready tasks
    Task._next_send and Task._next_send_fn                    an exception at a task's next step

What is simulated and what is not: docs/determinism.md.
"""

import gc
import inspect
import random
from collections.abc import Awaitable, Callable, Iterator, MutableSequence, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

import outcome
import trio
import trio.testing
from trio._core import _run as private

ROOT = Path(__file__).parents[2]
"""Where a world is played, wherever the command was given: names of files are told from here."""
STEPS_AT_ONE_INSTANT = 200_000
"""More task steps than any sound program needs while no time passes at all."""
LOOK_EVERY = 1_000
"""Steps between two looks at the clock, which costs more than a step's own bookkeeping."""


class Stalled(Exception):
    """The world did not come to its end: it waits for ever, or spins without time passing."""


def run(
    main: Callable[[], Awaitable[None]],
    seed: int,
    limit_s: float,
    instruments: Sequence[trio.abc.Instrument] = (),
    *,
    shuffled: bool = True,
) -> None:
    """Run ``main`` to its end, at most ``limit_s`` virtual seconds.

    Not ``shuffled``, tasks that are ready at once run in the order of their birth, so that the
    same tasks do the same whoever else is there.

    Raises:
        Stalled: It did not end in time, or spun.
    """
    spin = _SpinGuard()

    async def guarded() -> None:
        with trio.move_on_after(limit_s), spin.scope:
            await main()
            return
        why = "spun without time passing" if spin.tripped else f"did not end within {limit_s:g} s"
        raise Stalled(f"the world {why} (virtual time {trio.current_time():.3f})")

    with chdir(ROOT), _deterministic(seed, shuffled), _collected():
        clock = trio.testing.MockClock(autojump_threshold=0)
        trio.run(
            guarded,
            clock=clock,
            instruments=[spin, *instruments],
            restrict_keyboard_interrupt_to_checkpoints=True,
        )


SAFE = {
    "_nested_child_finished": "a nursery waits: Trio's own bookkeeping would be left half done",
    "_hand_back": "a call in a thread has ended: its outcome is delivered, whatever it is",
}
"""Functions in which no exception may be raised from outside, and why."""


def may_throw(task: trio.lowlevel.Task) -> bool:
    """Whether an exception may be raised at the task's next step."""
    return SAFE.keys().isdisjoint(_awaited(task.coro))


def _awaited(at: object) -> Iterator[str]:
    """The names of the functions that wait for each other, from a task's own to the innermost.

    What an async generator waits for (``@asynccontextmanager`` makes one) hangs on the generator,
    which the awaitable of its step refers to.
    """
    while at is not None:
        if inspect.iscoroutine(at):
            yield at.cr_code.co_name
            at = at.cr_await
        elif inspect.isasyncgen(at):
            yield at.ag_code.co_name
            at = at.ag_await
        else:
            at = next(filter(inspect.isasyncgen, gc.get_referents(at)), None)


def throw(task: trio.lowlevel.Task, error: BaseException) -> None:
    """Have ``task``, which is about to take a step, take it by raising ``error``.

    Only to be called from ``Instrument.before_task_step``, and only where it ``may_throw``. A task
    that has never run has nothing
    to catch it in: the exception ends it at its first line.
    """
    if inspect.getcoroutinestate(task.coro) == inspect.CORO_CREATED:
        task._next_send_fn, task._next_send = task.coro.throw, error
    else:
        task._next_send = outcome.Error(error)


@contextmanager
def _deterministic(seed: int, shuffled: bool) -> Iterator[None]:
    honest, chance = private._ALLOW_DETERMINISTIC_SCHEDULING, private._r
    private._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    private._r = random.Random(seed) if shuffled else _InOrder()
    try:
        yield
    finally:
        private._ALLOW_DETERMINISTIC_SCHEDULING = honest  # type: ignore[misc]
        private._r = chance


class _InOrder(random.Random):
    """Leaves every batch of ready tasks as it is."""

    def shuffle(self, x: MutableSequence[object]) -> None:
        """Leave it as it is."""


@contextmanager
def _collected() -> Iterator[None]:
    """Finalizers run between worlds, not at moments that memory decides.

    What was there before a world is none of its own: frozen, it is not looked through each time.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if enabled:
            gc.enable()


class _SpinGuard(trio.abc.Instrument):
    """Cancels a world that takes step after step at one instant. Records; never raises."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.tripped = False
        self._at = -1.0
        self._steps = 0

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        self._steps += 1
        if self._steps % LOOK_EVERY == 0:
            self._look()

    def _look(self) -> None:
        now = trio.current_time()
        if now != self._at:
            self._at, self._steps = now, 0
        elif self._steps >= STEPS_AT_ONE_INSTANT and not self.tripped:
            self.tripped = True
            self.scope.cancel()


def forked(rng: random.Random, name: str) -> random.Random:
    """A generator of its own for one part of the world, so that parts do not disturb each other."""
    return random.Random(f"{name} {rng.getrandbits(64)}")
