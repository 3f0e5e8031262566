"""What the terminal is told about a connection that is not there."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tradebaas import console
from tradebaas.board import Board, LinkStatus
from tradebaas.config import Config
from tradebaas.console import narrate
from tradebaas.core.events import FrameRefused, Halted


async def test_a_lost_connection_is_told_once_for_each_reason(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    said: list[str] = []

    async def say(text: str, _level: str = "info", **_fields: str) -> None:
        said.append(text.strip())

    monkeypatch.setattr(console, "say", say)
    board = Board()
    nursery.start_soon(narrate, board, Config())
    steps = ["not connected yet", "refused", "refused", "wrong key", ""]
    for detail in steps:
        board.link.set(LinkStatus(up=not detail, detail=detail, reconciled=True))
        await trio.sleep(5)
    board.link.set(LinkStatus(up=False, detail="a short loss"))
    await trio.sleep(0.5)
    board.link.set(LinkStatus(up=True, reconciled=True))
    await trio.sleep(5)
    nursery.cancel_scope.cancel()
    assert said == [
        "not connected: refused; trying again",
        "not connected: wrong key; trying again",
        "connected",
    ]


async def test_an_event_is_written_with_its_level_and_what_a_frame_held_is_not(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, nursery: trio.Nursery
) -> None:
    said: list[tuple[str, str, dict[str, object]]] = []

    async def say(text: str, level: str = "info", **fields: object) -> None:
        said.append((text, level, fields))

    monkeypatch.setattr(console, "say", say)
    board = Board()
    nursery.start_soon(narrate, board, Config())
    await trio.testing.wait_all_tasks_blocked()
    board.events.publish((7, FrameRefused(at_ms=1, raw="a token", reason="no JSON")))
    board.events.publish((8, Halted(by="operator", reason="lunch")))
    await trio.sleep(1)
    nursery.cancel_scope.cancel()
    (refused, quiet, fields), (_, loud, _) = said
    assert (refused, quiet, loud) == ("frame not understood: no JSON", "debug", "warning")
    assert fields == {"seq": 7, "actor": "persister", "kind": "FrameRefused", "life": 0}
