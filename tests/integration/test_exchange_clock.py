"""An exchange's clock at real speed, over starts that lie apart, and what `check` says of it."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
from exchange_socket_kit import Client, connect

from tradebaas.commands import broker
from tradebaas.commands.broker import examine
from tradebaas.commands.rows import Level
from tradebaas.config import Config, ExchangeSection
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import serve
from tradebaas.runtime.ports import Ports, SystemClock, system_ports

HOUR_MS = 3_600_000
CANDLES = "timestamp,open,high,low,close,volume\n" + "".join(
    f"2024-01-01 00:{minute:02}:00,80000,80000,80000,80000,1000\n" for minute in range(1, 60)
)


class Later:
    """The clock of a machine some time after this one's."""

    def __init__(self, by_ms: int) -> None:
        self._by_ms = by_ms

    def monotonic(self) -> float:
        return SystemClock().monotonic()

    def wall_ms(self) -> int:
        return SystemClock().wall_ms() + self._by_ms


def later(by_ms: int) -> Ports:
    return replace(system_ports(), clock=Later(by_ms))


@asynccontextmanager
async def serving(directory: Path, by_ms: int, **settings: Any) -> AsyncIterator[str]:
    """An exchange that starts ``by_ms`` from now."""
    config = ExchangeConfig(directory=directory, **settings)
    async with trio.open_nursery() as nursery:
        yield await nursery.start(
            lambda task_status: serve(config, ports=later(by_ms), task_status=task_status)
        )
        nursery.cancel_scope.cancel()


async def signed_login(client: Client, stamp: int) -> Any:
    """Log in with a signature of that time."""
    text = f"{stamp}\n{stamp}\n"
    signature = hmac.new(b"paper-secret", text.encode(), sha256).hexdigest()
    return await client.call(
        "public/auth", grant_type="client_signature", client_id="paper", timestamp=stamp,
        nonce=str(stamp), signature=signature,
    )  # fmt: skip


async def behind_ms(url: str, by_ms: int) -> int:
    """How far the exchange's time is behind that machine's; a login stamped with it succeeds."""
    async with connect(url) as client:
        before = Later(by_ms).wall_ms()
        now = await client.call("public/get_time")
        assert "access_token" in await signed_login(client, now)
        refused = await signed_login(client, now - 61_000)
        assert refused["code"] == 13004
        return int(before - now)


async def test_it_is_on_time_at_each_start(tmp_path: Path) -> None:
    for by_ms in (0, 90_000, 50 * HOUR_MS, 5_000 * HOUR_MS):
        with trio.fail_after(30):  # hours are gone through in no time, and months passed over
            async with serving(tmp_path, by_ms) as url:
                # It may be ahead by what the answer took; behind by a rounded millisecond or two.
                assert await behind_ms(url, by_ms) <= 2


@pytest.mark.parametrize("grant", ["client_signature", "client_credentials"])
async def test_nothing_is_wrong_with_the_clock_after_an_absence(
    tmp_path: Path, grant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "TICK_S", 30.0)
    for by_ms in (0, 2 * HOUR_MS):
        async with serving(tmp_path, by_ms) as url:
            config = Config(exchange=ExchangeSection(url=url, grant=grant))
            found = await examine(config, later(by_ms), url, "paper-secret")
            (row,) = [row for row in found if row.what == "clock"]
            assert row.level is Level.OK, row
            found = await examine(config, later(by_ms + 70_000), url, "paper-secret")
            (row,) = [row for row in found if row.what == "clock"]
            assert (row.level, "timedatectl" in row.detail) == (Level.FAIL, True)


@pytest.mark.parametrize("fixed", ["start", "candles"])
async def test_a_market_of_another_time_stays_there_and_its_time_signs(
    tmp_path: Path, fixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "TICK_S", 30.0)
    file = tmp_path / "candles.csv"
    file.write_text(CANDLES, encoding="utf-8")
    settings: dict[str, Any] = (
        {"start_ms": 1_704_067_200_000} if fixed == "start" else {"candles": file}
    )
    for by_ms in (0, 2 * HOUR_MS):
        async with serving(tmp_path, by_ms, **settings) as url:
            async with connect(url) as client:
                now = await client.call("public/get_time")
                assert 0 <= now - 1_704_067_200_000 < 60_000
                assert "access_token" in await signed_login(client, now)
                assert "access_token" in await signed_login(client, Later(by_ms).wall_ms())
            config = Config(exchange=ExchangeSection(url=url))
            found = await examine(config, later(by_ms), url, "paper-secret")
            (row,) = [row for row in found if row.what == "clock"]
            assert row.level is Level.OK, row
