"""What a person at the terminal sees: one line for each event that matters, and where to look next.

A terminal may stall (a stopped pager, a full pipe), so lines are written from a thread that the
loop never waits for, out of a bounded feed that drops and counts what it cannot keep up with. It
may also go away (a closed window, ``| head``); then nothing more is written, and nobody minds.
"""

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import trio

from tradebaas.board import Board
from tradebaas.commands.describe import describe
from tradebaas.config import Config
from tradebaas.core.events import (
    FrameRefused,
    Linked,
    OrderUpdated,
    PhaseChanged,
    Reconciled,
    Recovered,
    TradeClosed,
)
from tradebaas.core.reasons import printable
from tradebaas.core.state import State
from tradebaas.names import command
from tradebaas.runtime.ports import print_line
from tradebaas.runtime.supervisor import leaves

FEED = 1000
SETTLE_S = 1.0
"""How long a lost connection may take to come back before anyone is told."""
ORDERLY = ("", "not connected yet", "closed", "asked to stop")
"""What a link that is down says when nothing is wrong: before its first try, and at the end."""
QUIET = (OrderUpdated, Linked, Reconciled, PhaseChanged, FrameRefused)
"""Kinds that only ``tradebaas log`` shows."""


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
            if told and status.reconciled_at is not None:
                told = ""
                await say("         connected")
            continue
        await trio.sleep(SETTLE_S)
        now = board.link.value
        if now is not None and not now.up and now.detail not in (*ORDERLY, told):
            told = now.detail
            await say(f"         not connected: {told}; trying again")


async def _narrate_events(board: Board, config: Config) -> None:
    hinted = False
    with board.events.subscribe(FEED) as feed:
        async for seq, event in feed:
            if isinstance(event, QUIET):
                continue
            await say(f"{seq:>7}  {describe(event)}")
            if isinstance(event, Recovered) and board.view.value is not None:
                standing = _standing(board.view.value)
                if standing:
                    await say(standing)
            if isinstance(event, TradeClosed) and not hinted:
                hinted = True
                await say(_hint(config))


def _standing(state: State) -> str:
    """Why nothing will happen by itself after a start; "" when it will."""
    if state.halted is not None:
        why = printable(state.halted.reason)
        return f"         HALTED by {state.halted.by}: {why} ({command('resume')})"
    if not state.armed:
        return f"         no strategy is started ({command('start')})"
    return ""


async def say(text: str) -> None:
    """Print lines for a person who may no longer be there."""
    try:
        await print_line(text)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # else the exit code would tell of the lost lines
        os.close(nowhere)


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
    with suppress(OSError):
        traceback.print_exception(group)
        print(
            f"tradebaas: something in here ({actors}) tried to exit the process with SystemExit; "
            "the traceback above says where. Mend that code; a start recovers from the store",
            file=sys.stderr,
        )
