"""Days of a market through the real daemon in lockstep: its memory is level after the first one."""

import contextlib
import datetime
import os
import random
from decimal import Decimal
from pathlib import Path

import psutil

from chaos.real.replay import replay

DAY = 1440
DAYS = 3
MORE_PERCENT = 3
"""How much more may be resident after the last day than after the first."""


def write_days(path: Path) -> None:
    """A random walk that the default strategy trades many times a day."""
    chance = random.Random(34)
    close = Decimal(40_000)
    at = datetime.datetime(2024, 3, 1, tzinfo=datetime.UTC)
    lines = ["timestamp,open,high,low,close,volume"]
    for _ in range(DAY * DAYS):
        at += datetime.timedelta(minutes=1)
        opened, close = close, close + Decimal(chance.randint(-120, 120)) / 2
        high, low = max(opened, close) + 10, min(opened, close) - 10
        lines.append(f"{at:%Y-%m-%d %H:%M:%S.%f},{opened},{high},{low},{close},1000.0")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def resident(role: str) -> int:
    """Bytes of this test's daemon ("run") or exchange ("exchange")."""
    for child in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end meanwhile
            if role in child.cmdline():
                return int(child.memory_info().rss)
    return 0


def test_after_a_day_the_memory_of_a_daemon_stays_as_it_is(tmp_path: Path) -> None:
    candles, seen = tmp_path / "days.csv", dict[int, int]()
    write_days(candles)

    def look(text: str) -> None:
        seen[int(text.removeprefix("bar "))] = resident("run")

    replayed = replay(candles, "BTC-PERPETUAL", look)
    assert replayed.differences() == []
    assert len(replayed.trades) > 50 * DAYS
    days = [
        [rss for bar, rss in seen.items() if day * DAY <= bar < (day + 1) * DAY]
        for day in range(DAYS)
    ]
    assert all(len(day) > 10 for day in days), "it was looked at all the time"
    print(replayed.seconds, len(replayed.trades), [max(day) // 1024 for day in days])
    assert max(days[-1]) <= max(days[0]) * (100 + MORE_PERCENT) // 100
