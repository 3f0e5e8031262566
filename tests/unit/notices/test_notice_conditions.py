"""What is told because it lasts, and the summary of a day."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.cli.test_cli_describe import POSITION
from tradebaas.board import BackupStatus, Board, LinkStatus, StoreStatus
from tradebaas.config import Config
from tradebaas.core.model import Direction
from tradebaas.core.state import Counters, State
from tradebaas.notices.conditions import DAY_MS, Conditions, summary
from tradebaas.notices.memory import Told, Totals

NAKED_S = Config().risk.naked_ms / 1000


@pytest.fixture
def board() -> Board:
    board = Board()
    board.view.set(State())
    return board


@pytest.fixture
def conditions(board: Board) -> Conditions:
    return Conditions(Config(data="/d"), board)


def titles(conditions: Conditions, now: float) -> list[str]:
    return [notice.title for notice in conditions.look(now)]


def test_a_naked_position_is_told_once_and_when_it_is_over(
    board: Board, conditions: Conditions
) -> None:
    board.view.set(State(position=POSITION))
    assert titles(conditions, 10.0) == []
    assert titles(conditions, 10.0 + NAKED_S) == []
    (notice,) = conditions.look(10.1 + NAKED_S)
    assert notice.urgent
    assert "100 of short 100 BTC-PERPETUAL is covered by no live stop" in notice.happened
    assert "not connected" in notice.did
    assert titles(conditions, 60.0) == []
    board.view.set(State())
    assert titles(conditions, 61.0) == ["no longer without a stop"]
    assert titles(conditions, 62.0) == []


def test_a_second_position_that_is_naked_is_told_by_its_own_time(
    board: Board, conditions: Conditions
) -> None:
    second = replace(POSITION, instrument="ETH-PERPETUAL", size=Decimal(7), direction=Direction.BUY)
    board.view.set(State(position=POSITION))
    assert titles(conditions, 0.0) == []
    assert titles(conditions, 0.1 + NAKED_S) == ["position without a full stop"]
    board.view.set(State(position=POSITION, elsewhere={second.instrument: second}))
    assert titles(conditions, 10.0) == []
    (notice,) = conditions.look(10.1 + NAKED_S)
    assert "7 of long 7 ETH-PERPETUAL" in notice.happened
    assert "a second position of ours" in notice.happened
    board.view.set(State(elsewhere={second.instrument: second}))
    (notice,) = conditions.look(20.0)
    assert notice.title == "no longer without a stop"
    assert "BTC-PERPETUAL" in notice.happened
    assert titles(conditions, 21.0) == []
    board.view.set(State())
    assert titles(conditions, 22.0) == ["no longer without a stop"]


def test_a_short_naked_moment_is_not_told(board: Board, conditions: Conditions) -> None:
    for now in (0.0, 10.0, 20.0):
        board.view.set(State(position=POSITION))
        assert titles(conditions, now) == []
        board.view.set(State())
        assert titles(conditions, now + NAKED_S / 2) == []


def test_a_failed_backup_is_told_until_one_is_made(board: Board, conditions: Conditions) -> None:
    for failure, told in (
        ("", []),
        ("no space", ["backup failed"]),
        ("no space", []),
        ("", []),
        ("again", ["backup failed"]),
    ):
        board.backup.set(BackupStatus(failure=failure))
        assert titles(conditions, 0.0) == told


def test_a_store_that_cannot_be_written_is_told(board: Board, conditions: Conditions) -> None:
    board.store.set(StoreStatus(fault="disk full"))
    (notice,) = conditions.look(0.0)
    assert notice.urgent
    assert notice.happened == "disk full."
    assert titles(conditions, 1.0) == []


def counters(trades: int, won: int, net: str, fees: str, funding: str) -> Counters:
    return Counters(
        trades=trades, trades_success=won, trades_failed=trades - won,
        net={"BTC": Decimal(net)}, fees={"BTC": Decimal(fees)},
        funding={"BTC": Decimal(funding)}, crashes=1,
    )  # fmt: skip


def test_the_first_day_is_only_begun(board: Board) -> None:
    notice, told = summary(Told(seq=4), board, 20_000 * DAY_MS + 5)
    assert notice is None
    assert (told.seq, told.day) == (4, 20_000)
    assert summary(told, board, 20_000 * DAY_MS + 60_000) == (None, told)


def test_a_day_is_summed_up_after_its_end(board: Board) -> None:
    board.link.set(LinkStatus(up=True))
    board.view.set(State(counters=counters(3, 2, "0.5", "0.1", "0.01")))
    _, told = summary(Told(), board, 20_000 * DAY_MS)
    board.view.set(State(counters=replace(counters(8, 4, "0.4", "0.3", "-0.02"), crashes=3)))
    notice, told = summary(told, board, 20_001 * DAY_MS)
    assert notice is not None
    assert notice.title == "summary of 2024-10-04"
    assert notice.happened == (
        "Trades: 5 (2 won, 3 lost), net -0.1 BTC after 0.2 of fees and -0.03 of funding; "
        "2 crashes, 0 unknown orders."
    )
    assert told.totals.trades == 8
    assert summary(told, board, 20_001 * DAY_MS + 1)[0] is None


def test_a_clock_that_went_back_sums_up_nothing(board: Board) -> None:
    told = Told(day=20_000, totals=Totals())
    assert summary(told, board, 19_999 * DAY_MS) == (None, told)


def test_a_day_that_lies_ahead_does_not_silence_the_days_until_then(board: Board) -> None:
    notice, told = summary(Told(seq=4, day=90_000), board, 20_000 * DAY_MS)
    assert (notice, told.seq, told.day) == (None, 4, 20_000)
    assert summary(told, board, 20_001 * DAY_MS)[0] is not None
