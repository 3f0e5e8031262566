"""When a halt after an unattended restore may be lifted, and when nothing is restored by itself."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from tests.unit.actors.test_parts import POSITION
from tests.unit.cli.stores import WALL_MS, write_store
from tests.unit.core.core_kit import INVERSE
from tradebaas.board import Board
from tradebaas.core.decide import Decision, decide
from tradebaas.core.events import RecoveryReport
from tradebaas.core.messages import Answer, Committed, Halt, Refused, Request, Resume
from tradebaas.core.model import Account, Candle, Market, Phase, Ticker
from tradebaas.core.risk import Limits
from tradebaas.core.state import HaltLatch, State
from tradebaas.runtime.mailbox import Asker, Asks, Door, open_asks
from tradebaas.store.backup import create_backup
from tradebaas.store.folding import STATE_FOLD
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.place import Place
from tradebaas.unattended import ONCE_MS, _is_clean, restore_newest, resume_when_clean

REPORT = RecoveryReport(
    life=3, cause="", phase=Phase.IDLE, events_replayed=0, unresolved=(), findings=(), position="",
    naked_ms=0, store_notes=(), steps={}, recovered_seconds=0.1, settle_seconds=0.0,
)  # fmt: skip
REASON = "restored unattended from tradebaas-x.db at 20220115T235900Z"
CLEAN = State(life=3, life_open=True, connection=2, reconciled=2, last_recovery=REPORT)


def next_of(spoilt: dict[str, object]) -> str:
    return next(iter(spoilt))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"last_recovery": None},
        {"life": 4},
        {"reconciled": 1},
        {"connection": 0, "reconciled": 0},
        {"position": POSITION},
        {"elsewhere": {"ETH-PERPETUAL": POSITION}},
        {"foreign": {"order 5": "of the owner"}},
        {"protect": {"account unread": "x"}},
        {"lifting": ("account unread",)},
        {"closing": "halted: x"},
    ],
    ids=next_of,
)
def test_only_what_the_exchange_has_answered_for_is_clean(spoilt: dict[str, object]) -> None:
    assert _is_clean(CLEAN)
    assert not _is_clean(replace(CLEAN, **spoilt))


def test_a_resume_of_one_halt_lifts_no_other() -> None:
    state = State()
    for by, reason in (("halt file", "restored unattended from x"), ("operator", "weekend")):
        decision = decide(state, Halt(by=by, reason=reason), Limits())
        assert isinstance(decision, Decision)
        state = decision.state
    refused = decide(state, Resume(by="x", only="restored unattended from x"), Limits())
    assert refused == Refused(reason="it is halted by operator as well: weekend")
    lifted = decide(state, Resume(by="x", only="weekend"), Limits())
    assert isinstance(lifted, Decision)
    assert lifted.state.halted is None


@pytest.fixture
def damaged(tmp_path: Path) -> Place:
    """A store with a backup, of which nothing else is left."""
    place = Place(tmp_path)
    write_store(tmp_path)
    create_backup(place, now_ms=WALL_MS, fold=STATE_FOLD)
    place.db.unlink()
    return place


def test_once_a_day_and_not_sooner(damaged: Place) -> None:
    assert restore_newest(damaged, WALL_MS) == ""
    assert read_halt(damaged).startswith("restored unattended from tradebaas-")
    again = restore_newest(damaged, WALL_MS + ONCE_MS - 1000)
    assert again.startswith("nothing is restored by itself twice a day")
    assert restore_newest(damaged, WALL_MS + ONCE_MS + 1000) == ""


def test_a_directory_that_does_not_say_when_counts_as_now(damaged: Place) -> None:
    (damaged.root / "damaged-by-me").mkdir()
    assert "twice a day" in restore_newest(damaged, WALL_MS)


def test_without_a_backup_nothing_is_done_and_a_halt_stays(damaged: Place) -> None:
    write_halt(damaged, "operator: weekend")
    assert restore_newest(damaged, WALL_MS) == ""
    assert read_halt(damaged) == "operator: weekend"
    for path in damaged.backups.iterdir():
        path.unlink()
    assert restore_newest(damaged, WALL_MS + 2 * ONCE_MS) == (
        "there is no verified backup to restore"
    )


# --------------------------------------------------------------------------------- the resume


@dataclass
class Scene:
    """A board, a door whose requests go through the core, and the halt file."""

    board: Board = field(default_factory=Board)
    door: Door[Request, Answer] = field(default_factory=Door)
    file: str = REASON
    asked: list[Request] = field(default_factory=list)

    def show(self, candle_ms: int, **changes: object) -> None:
        """The present state, and the newest closed candle."""
        halted = HaltLatch(by="halt file", reason=REASON)
        self.board.view.set(replace(CLEAN, **({"halted": halted} | changes)))
        price = Decimal(1)
        ticker = Ticker(at_ms=1, bid=price, ask=price, mark=price, index=price)
        account = Account(currency="BTC", equity=price, available=price)
        self.board.market.set(Market(
            connection=2, at_ms=1, instrument=INVERSE, timeframe_ms=60_000,
            candles=(Candle(candle_ms, price, price, price, price, price),), ticker=ticker,
            account=account,
        ))  # fmt: skip

    async def read(self) -> str:
        await trio.lowlevel.checkpoint()
        return self.file

    async def serve(self) -> None:
        """Answer as the persister would."""
        ends: tuple[Asker[Request, Answer], Asks[Request, Answer]] = open_asks(8)
        asker, asks = ends
        with self.door.opened(asker), asks:
            while True:
                for ask in await asks.receive_batch(1):
                    self.asked.append(ask.request)
                    assert self.board.view.value is not None
                    decision = decide(self.board.view.value, ask.request, Limits())
                    if isinstance(decision, Decision):
                        self.board.view.set(decision.state)
                        ask.reply.answer(Committed(seq=1))
                    else:
                        ask.reply.answer(decision)

    async def within(self, seconds: float) -> str | None:
        """What was done in so many seconds; None while it still waits."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.serve)
            done: str | None = None
            with trio.move_on_after(seconds):
                done = await resume_when_clean(self.board, self.door, self.read)
            nursery.cancel_scope.cancel()
        return done


async def test_it_resumes_after_the_next_candle_and_not_before(autojump_clock: MockClock) -> None:
    scene = Scene()
    scene.show(60_000)
    assert await scene.within(3600) is None
    assert scene.asked == []

    async def next_candle() -> None:
        await trio.sleep(30)
        scene.show(120_000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(next_candle)
        done = await scene.within(60)
    assert done == f"resumed after the unattended restore: {REASON}"
    assert scene.asked == [Resume(by="unattended restore", only=REASON)]
    assert scene.board.view.value is not None
    assert scene.board.view.value.halted is None


@pytest.mark.parametrize(
    "spoilt",
    [{"foreign": {"order 5": "x"}}, {"position": POSITION}, {"reconciled": 1}],
    ids=next_of,
)
async def test_it_waits_while_anything_is_not_answered_for(
    autojump_clock: MockClock, spoilt: dict[str, object]
) -> None:
    scene = Scene()

    async def candles() -> None:
        for number in range(50):
            await trio.sleep(60)
            scene.show(60_000 * number, **spoilt)

    scene.show(0, **spoilt)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(candles)
        assert await scene.within(4000) is None
    assert scene.asked == []


@pytest.mark.parametrize("by", ["file", "latch"])
async def test_another_halt_is_never_lifted(autojump_clock: MockClock, by: str) -> None:
    scene = Scene()
    scene.show(0)

    async def later() -> None:
        await trio.sleep(10)
        if by == "file":
            scene.file = f"{REASON}\nby hand"
            scene.show(60_000)
        else:
            scene.show(60_000, halted=HaltLatch(by="operator", reason="weekend"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        done = await scene.within(600)
    assert done == (None if by == "file" else "")
    assert scene.asked == []
