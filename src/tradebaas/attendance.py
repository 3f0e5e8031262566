"""What the service manager is told: ready, alive, and in one line how things are.

The watchdog is patted while the loop turns and the store answers, and never withheld for what the
market does: it must not kill the protector.

A start may take as long as its disk does. A process that waits for a disk cannot be killed, so
ending it would mend nothing, and the next one would wait beside it; it says why it is not ready.
"""

import os
from collections.abc import Callable
from typing import final

import trio

from tradebaas.commands.summary import headline
from tradebaas.errors import StoreBusy
from tradebaas.lives import Lives
from tradebaas.output import say
from tradebaas.runtime.systemd import Notifier, watchdog_interval
from tradebaas.store.lock import Lock
from tradebaas.store.place import Place

START_CHECK_S = 2.0
START_MORE_S = 60.0
START_USUAL_S = 10.0
"""From then on it says that it is not ready yet."""
TURN_CHECK_S = 0.5
STATUS_EVERY_S = 1.0
"""How often, at most, the line is told anew."""


@final
class Attendance:
    """Tells the service manager of one process. ``turn`` waits before the first life; ``attend``
    runs beside that and all lives."""

    def __init__(self, lives: Lives, notifier: Notifier) -> None:
        self._lives = lives
        self._notifier = notifier
        self._awaited = ""

    async def turn(self, place: Place) -> None:
        """Under a service manager, wait until no other process holds the store, or the drain.

        One that a disk keeps from dying was killed before this one was started. Each refusal would
        count as a failed start, and after ten of them nothing would be started any more.
        """
        lives = self._lives
        async with lives.ports.open_blocking("turn") as worker:
            while self._notifier.heard and not lives.drain.asked.is_set():
                holder = await worker.run(_holder, place, lives.ports.clock.wall_ms())
                before, self._awaited = self._awaited, holder
                if not holder:
                    return
                self._notifier.status(f"waits for the store: {holder}")
                if holder != before:
                    await say(f"waits for the store: {holder}", "warning", actor="shell")
                with trio.move_on_after(TURN_CHECK_S):
                    await lives.drain.asked.wait()

    async def attend(self, busy: Callable[[], bool]) -> None:
        """Tell until cancelled. While ``busy`` something works that is no life of the crew."""
        async with trio.open_nursery() as nursery:
            await self._until_ready(nursery)
            nursery.start_soon(_keep_alive, self._lives, self._notifier, busy)
            nursery.start_soon(_keep_status, self._lives, self._notifier)

    async def _until_ready(self, nursery: trio.Nursery) -> None:
        """READY once the store is recovered. Meanwhile more time is asked for, again and again."""
        lives, notifier, told = self._lives, self._notifier, ""
        view, clock = lives.board.view, lives.ports.clock
        while view.value is None:
            with trio.move_on_after(START_CHECK_S):
                await view.wait_newer(0)
            if view.value is None:
                notifier.extend_timeout(START_MORE_S)
            late = clock.monotonic() - lives.born >= START_USUAL_S
            if view.value is None and late and not self._awaited:  # else that is what it says
                why = _why_not_ready(lives)
                if why != told:
                    told = why
                    notifier.status(why)
                    nursery.start_soon(say, why, "warning")  # a terminal may stall
        notifier.ready()


def _holder(place: Place, now_ms: int) -> str:
    """Who holds the lock, in words; "" when nobody does, or the start will say what is wrong."""
    try:
        Lock.take(place, now_ms).release()
    except StoreBusy as busy:
        return str(busy)
    except OSError:
        return ""
    return ""


def _why_not_ready(lives: Lives) -> str:
    store = lives.board.store.value
    fault = store.fault if store is not None else ""
    return f"not ready: {fault or 'the store is migrated or replayed, or its disk hangs'}"


async def _keep_alive(lives: Lives, notifier: Notifier, busy: Callable[[], bool]) -> None:
    interval = watchdog_interval(os.environ, os.getpid())
    while interval is not None:
        if lives.pulse() or busy():
            notifier.watchdog()
        await trio.sleep(interval / 2)


async def _keep_status(lives: Lives, notifier: Notifier) -> None:
    """Keep the line that ``systemctl status`` shows."""
    board, told = lives.board, ""
    while True:
        assert board.view.value is not None
        text = headline(board.view.value, board.link.value)
        if text != told:
            notifier.status(text)
            told = text
        await trio.sleep(STATUS_EVERY_S)
