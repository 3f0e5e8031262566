"""A generated candle file through the real daemon in lockstep: both ledgers equal, twice the same.

The candles are made here by a seeded random walk, so that nothing outside the repository is
needed. Real processes, the real protocol, both kinds of contract.
"""

import datetime
import random
from decimal import Decimal
from pathlib import Path

import pytest

from chaos.real.replay import Replayed, replay

BARS = 400


def write_candles(path: Path, seed: int) -> None:
    """A random walk lively enough that the default strategy trades it several times."""
    chance = random.Random(seed)
    close = Decimal(40_000)
    at = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)
    lines = ["timestamp,open,high,low,close,volume"]
    for _ in range(BARS):
        at += datetime.timedelta(minutes=1)
        opened, close = close, close + Decimal(chance.randint(-120, 120)) / 2
        high = max(opened, close) + Decimal(chance.randint(0, 40)) / 2
        low = min(opened, close) - Decimal(chance.randint(0, 40)) / 2
        lines.append(f"{at:%Y-%m-%d %H:%M:%S.%f},{opened},{high},{low},{close},1000.0")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def candles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("candles") / "walk.csv"
    write_candles(path, seed=7)
    return path


@pytest.fixture(scope="module")
def inverse(candles: Path) -> Replayed:
    return replay(candles, "BTC-PERPETUAL", lambda _text: None)


def test_the_inverse_contract_ends_equal_to_the_last_digit(inverse: Replayed) -> None:
    assert inverse.bars == BARS
    assert len(inverse.trades) >= 5
    assert inverse.differences() == []


def test_the_linear_contract_ends_equal_to_the_last_digit(candles: Path) -> None:
    linear = replay(candles, "BTC_USDC-PERPETUAL", lambda _text: None)
    assert len(linear.trades) >= 5
    assert linear.differences() == []


def test_the_same_file_gives_the_same_trades(candles: Path, inverse: Replayed) -> None:
    again = replay(candles, "BTC-PERPETUAL", lambda _text: None)
    assert outcome(again) == outcome(inverse)


def test_a_wrong_digit_is_found(inverse: Replayed) -> None:
    inverse.spans[0].fees += Decimal("1e-12")
    try:
        assert inverse.differences()
    finally:
        inverse.spans[0].fees -= Decimal("1e-12")


def outcome(replayed: Replayed) -> list[tuple[object, ...]]:
    """What must not depend on timing: ids are random per life, times run in real time."""
    return [
        (t.direction, t.amount, t.entry_price, t.exit_price, t.gross, t.fees, t.exit_reason)
        for t in replayed.trades
    ]
