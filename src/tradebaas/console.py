"""What a person at the terminal sees: one line for each event that matters, and where to look next.

Events come out of a bounded feed, which drops and counts what the output cannot keep up with.
"""

import sys
import traceback
from pathlib import Path

import trio

from tradebaas.board import Board
from tradebaas.commands.describe import describe
from tradebaas.config import Config
from tradebaas.core.events import (
    CancelIntended,
    Event,
    ForeignFound,
    FrameRefused,
    Halted,
    Linked,
    LinkLost,
    Liquidated,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    PhaseChanged,
    PositionCorrected,
    PositionElsewhere,
    ProtectOnlyEntered,
    Reconciled,
    Recovered,
    StopStalled,
    TradeClosed,
)
from tradebaas.core.reasons import printable
from tradebaas.core.state import State
from tradebaas.names import command
from tradebaas.output import say, say_last
from tradebaas.runtime.supervisor import leaves
from tradebaas.threads import Threads
from tradebaas.words import NOT_CONNECTED, NOT_YET

FEED = 1000
SETTLE_S = 1.0
"""How long a lost connection may take to come back before anyone is told."""
ORDERLY = ("", NOT_YET, "closed", "asked to stop")
"""What a link that is down says when nothing is wrong: before its first try, and at the end."""
LEVELS: dict[type, str] = {
    **dict.fromkeys((OrderUpdated, Linked, Reconciled, PhaseChanged, FrameRefused), "debug"),
    **dict.fromkeys((LinkLost, OrderRejected, OrderUnknown, OrderNotSent), "warning"),
    **dict.fromkeys((ForeignFound, PositionCorrected, PositionElsewhere), "warning"),
    **dict.fromkeys((CancelIntended, Halted, ProtectOnlyEntered), "warning"),
    **dict.fromkeys((Liquidated, StopStalled), "error"),
}
"""The levels of kinds of events; all others are "info"."""


async def narrate(board: Board, config: Config) -> None:
    """Write lines until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_narrate_link, board)
        await _narrate_events(board, config)


async def _narrate_link(board: Board) -> None:
    """Say why there is no connection, once for each reason, and when there is one again."""
    told, version = "", 0
    while True:
        status, version = await board.link.wait_newer(version)
        if status.up:
            if told and status.reconciled:
                told = ""
                await say("         connected", actor="reconciler")
            continue
        await trio.sleep(SETTLE_S)
        now = board.link.value
        if now is not None and not now.up and now.detail not in (*ORDERLY, told):
            told = now.detail
            text = f"         {NOT_CONNECTED}: {told}; trying again"
            await say(text, "warning", actor="reconciler")


async def _narrate_events(board: Board, config: Config) -> None:
    hinted, threads = False, Threads()
    with board.events.subscribe(FEED) as feed:
        async for seq, event in feed:
            state = board.view.value or State()
            fields = threads.of(event, state)
            level = LEVELS.get(type(event), "info")
            await say(_text(event), level, seq=seq, actor="persister", **fields)
            if isinstance(event, Recovered) and _standing(state):
                await say(_standing(state))
            if isinstance(event, TradeClosed) and not hinted and sys.stdout.isatty():
                hinted = True
                await say(_hint(config))


def _text(event: Event) -> str:
    """What a frame was is not repeated: it may hold what must not be written."""
    if isinstance(event, FrameRefused):
        return f"frame not understood: {event.reason}"
    return describe(event)


def _standing(state: State) -> str:
    """Why nothing will happen by itself after a start; "" when it will."""
    if state.halted is not None:
        why = printable(state.halted.reason)
        return f"         HALTED by {state.halted.by}: {why} ({command('resume')})"
    if not state.armed:
        return f"         no strategy is started ({command('start')})"
    return ""


def _hint(config: Config) -> str:
    data = Path(config.data)
    return (
        "         A position was opened and closed. Look next at /health under the address above,\n"
        "         and in another terminal:\n"
        f"           {command('status', '--data', data)}    what it holds now\n"
        f"           {command('log', '--data', data)}       every event so far\n"
        "           and kill it with kill -9: the next start carries on where it stood."
    )


def tell_of_exit(group: BaseExceptionGroup[SystemExit]) -> None:
    """Nothing in here may end the process: code that tries (a strategy's) has crashed it."""
    actors = ", ".join(dict.fromkeys(actor for actor, _ in leaves(group)))
    say_last("".join(traceback.format_exception(group)).rstrip())
    say_last(
        f"tradebaas: something in here ({actors}) tried to exit the process with SystemExit; "
        "the traceback above says where. Mend that code; a start recovers from the store"
    )
