"""What the service manager is told: ready, alive, and in one line how things are.

The watchdog is patted while the loop turns and the store answers, and never withheld for what the
market does: it must not kill the protector.
"""

import os
from collections.abc import Callable

import trio

from tradebaas.commands.summary import headline
from tradebaas.lives import Lives
from tradebaas.runtime.systemd import Notifier, watchdog_interval

START_CHECK_S = 2.0
START_MORE_S = 60.0
LONGEST_RECOVERY_S = 900.0
"""A migration or the replay of a long log takes no longer; a disk that hangs is given up then."""
STATUS_EVERY_S = 1.0
"""How often, at most, the line is told anew."""


async def attend(lives: Lives, notifier: Notifier, busy: Callable[[], bool]) -> None:
    """Tell until cancelled. While ``busy`` something works that is no life of the crew."""
    await _until_ready(lives, notifier)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_alive, lives, notifier, busy)
        nursery.start_soon(_keep_status, lives, notifier)


async def _until_ready(lives: Lives, notifier: Notifier) -> None:
    """READY once the store is recovered. Meanwhile more time is asked for, again and again.

    A start that finds no space takes as long as that lasts, which nobody should cut short.
    """
    view, clock, born = lives.board.view, lives.ports.clock, lives.born
    while view.value is None:
        with trio.move_on_after(START_CHECK_S):
            await view.wait_newer(0)
        recovers = clock.monotonic() - born < LONGEST_RECOVERY_S
        if view.value is None and (recovers or lives.waits_for_space()):
            notifier.extend_timeout(START_MORE_S)
    notifier.ready()


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
