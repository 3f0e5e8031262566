"""Restoring a damaged store without a person, and trading again, for who asked for it (ADR 0015).

At most once a day the newest intact backup is put in the place of a store that a start refused. It
starts halted like any restored store, so what is open of ours is closed. The halt is lifted only
when the exchange has answered for everything: the account was read in full, nothing is unproven,
nothing is open, nothing is anybody else's, and a candle has closed of which the lost log cannot
have known. Any other halt, before or after, is a person's to lift.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import trio

from tradebaas.board import Board
from tradebaas.core.messages import Answer, Refused, Request, Resume
from tradebaas.core.state import State, flat
from tradebaas.errors import Fatal
from tradebaas.names import command
from tradebaas.output import say
from tradebaas.runtime.mailbox import AskTimeout, Door, LifeEnded
from tradebaas.runtime.ports import Ports
from tradebaas.store import catalogue
from tradebaas.store.backup import STAMP, BackupFailed
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.halt import read_halt
from tradebaas.store.place import DAMAGED, Place, moved_aside
from tradebaas.store.restore import UNATTENDED, restore

BY = "unattended restore"
ONCE_MS = 86_400_000
ASK_S = 5.0
LOOK_S = 1.0


def restore_newest(place: Place, now_ms: int) -> str:
    """Restore; "" when it worked, else why nothing was done.

    A store that is damaged twice a day lies on a disk that nobody should trade on.
    """
    try:
        for earlier in moved_aside(place):
            if _restored_ms(earlier.name) > now_ms - ONCE_MS:
                return f"nothing is restored by itself twice a day, and there is {earlier}"
        name = catalogue.newest_intact(place)
        if name is None:
            return "there is no verified backup to restore"
        restore(place, name, now_ms=now_ms, unattended=True)
    except (BackupFailed, DiskFull, StoreLocked, Fatal, OSError) as error:
        return f"the newest backup could not be restored: {error}"
    return ""


def restored_words(data: Path) -> str:
    """What a person should know of it."""
    lists = command("backup", "gap", "--data", data)
    return f"restored the newest backup; after the start `{lists}` lists what it did not have"


def _restored_ms(name: str) -> float:
    """When a directory was moved aside; now and for ever if its name does not say."""
    text = name.removeprefix(DAMAGED)[: len("20220115T235900Z")]
    try:
        return datetime.strptime(text, STAMP).replace(tzinfo=UTC).timestamp() * 1000
    except ValueError:
        return float("inf")


async def resume_by_itself(
    board: Board, door: Door[Request, Answer], ports: Ports, place: Place
) -> None:
    """As ``resume_when_clean``, with the halt file of ``place``; says what was done."""

    async def read() -> str:
        async with ports.open_blocking("halt") as worker:
            return await worker.run(read_halt, place)

    done = await resume_when_clean(board, door, read)
    if done:
        await say(done)


async def resume_when_clean(
    board: Board, door: Door[Request, Answer], read_halt: Callable[[], Awaitable[str]]
) -> str:
    """Wait for the end of a halt by an unattended restore, and lift it once all is clean.

    Returns what was done, "" when there was no such halt or a person was quicker.
    """
    view, version = await board.view.wait_newer(0)
    seen: int | None = None
    while view.halted is not None and view.halted.reason.startswith(UNATTENDED):
        reason, market = view.halted.reason, board.market.value
        candle = market.candles[-1].open_ms if market is not None and market.candles else None
        seen = candle if seen is None else seen
        new = candle is not None and seen is not None and candle > seen
        if new and _is_clean(view) and await read_halt() == reason:
            try:
                answer = await door.ask(Resume(by=BY, only=reason), ASK_S)
            except (AskTimeout, LifeEnded) as error:
                answer = Refused(reason=str(error))
            if not isinstance(answer, Refused):
                return f"resumed after the unattended restore: {reason}"
        with trio.move_on_after(LOOK_S):
            _, version = await board.view.wait_newer(version)
        view = board.view.value or view  # what came with the market, not what was before it
    return ""


def _is_clean(view: State) -> bool:
    """Whether the exchange has answered for all that this life could not know from its log."""
    recovered = view.last_recovery is not None and view.last_recovery.life == view.life
    read = view.connection == view.reconciled != 0
    doubts = (
        view.pending, view.orders, view.foreign, view.elsewhere, view.protect, view.lifting,
        view.closing, view.discrepancy, view.position,
    )  # fmt: skip
    return recovered and read and flat(view) and not any(doubts)
