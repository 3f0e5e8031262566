"""What a person at the terminal sees: one line for each event that matters, and where to look next.

A terminal may stall (a stopped pager, a full pipe), so lines are written from a thread that the
loop never waits for, out of a bounded feed that drops and counts what it cannot keep up with. It
may also go away (a closed window, ``| head``); then nothing more is written, and nobody minds.
"""

import os
import shutil
import sys
from pathlib import Path

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
from tradebaas.core.state import State
from tradebaas.runtime.ports import print_line

FEED = 1000
QUIET = (OrderUpdated, Linked, Reconciled, PhaseChanged, FrameRefused)
"""Kinds that only ``tradebaas log`` shows."""


async def narrate(board: Board, config: Config) -> None:
    """Write lines until cancelled."""
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
        return f"         HALTED by {state.halted.by}: {state.halted.reason} (tradebaas resume)"
    if not state.armed:
        return "         no strategy is started (tradebaas start)"
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
    data = config.data
    tradebaas = shutil.which("tradebaas") or str(Path(sys.executable).with_name("tradebaas"))
    return (
        "         A position was opened and closed. Look next at /health under the address above,\n"
        "         and in another terminal:\n"
        f"           {tradebaas} status --data {data}    what it holds now\n"
        f"           {tradebaas} log --data {data}       every event so far\n"
        "           and kill it with kill -9: the next start carries on where it stood."
    )
