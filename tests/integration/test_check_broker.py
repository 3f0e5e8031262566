"""``check --broker`` where something is not as the daemon needs it: each row, and what to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.unit.actors.exchange import Exchange, exchange_on
from tradebaas.commands import broker
from tradebaas.commands.broker import examine
from tradebaas.commands.rows import Level, Row
from tradebaas.config import Config, ExchangeSection, StrategySection
from tradebaas.deribit import stream
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.runtime.ports import Clock, Ports, SystemClock, system_ports

BTC = "BTC-PERPETUAL"


class Fast:
    """A machine whose wall clock is ahead."""

    def __init__(self, ahead_ms: int) -> None:
        self._ahead_ms = ahead_ms

    def monotonic(self) -> float:
        return SystemClock().monotonic()

    def wall_ms(self) -> int:
        return SystemClock().wall_ms() + self._ahead_ms


async def rows(
    exchange: Exchange, *, url: str = "", secret: str = "paper-secret", instrument: str = BTC,
    clock: Clock | None = None, **section: Any,
) -> dict[str, Row]:  # fmt: skip
    config = Config(
        exchange=ExchangeSection(url=exchange.url, **section),
        strategy=StrategySection(instrument=instrument),
    )
    ports: Ports = system_ports()
    ports = replace(ports, clock=clock or ports.clock)
    found = await examine(config, ports, url or exchange.url, secret)
    return {row.what: row for row in found}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other things is no quiet market."""
    monkeypatch.setattr(broker, "TICK_S", 30.0)


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with _running(tmp_path) as running:
        yield running


@asynccontextmanager
async def _running(home: Path) -> AsyncIterator[Exchange]:
    async with exchange_on(home / "exchange") as running:
        yield running


async def test_all_is_well(exchange: Exchange) -> None:
    found = await rows(exchange)
    assert {row.level for row in found.values()} == {Level.OK}, found
    assert "smallest 10 by 10" in found["instrument"].detail
    assert found["limits"].detail == "reads 20/s, 100 at once; orders 5/s, 20 at once"
    assert exchange.journal("request") == [], "it must not send an order"


async def test_a_wrong_secret(exchange: Exchange) -> None:
    found = await rows(exchange, secret="wrong")
    assert list(found) == ["tls", "login"]
    assert found["login"].level is Level.FAIL
    assert found["login"].exit_code == 78
    assert "check client_id and secret" in found["login"].detail


async def test_a_key_that_may_not_trade(exchange: Exchange) -> None:
    found = await rows(exchange, scope="trade:read account:read_write")
    assert found["login"].level is Level.FAIL
    assert "the key needs trade:read_write" in found["login"].detail


async def test_a_key_that_may_not_switch_cancel_on_disconnect(exchange: Exchange) -> None:
    found = await rows(exchange, scope="trade:read_write account:read")
    assert found["scope"].level is Level.WARN
    assert "without account:read_write" in found["scope"].detail


async def test_a_key_that_may_not_read_the_account(exchange: Exchange) -> None:
    found = await rows(exchange, scope="trade:read_write account:none")
    assert "login" in found
    assert Level.FAIL in {row.level for row in found.values()}


async def test_an_instrument_that_is_not_listed(exchange: Exchange) -> None:
    found = await rows(exchange, instrument="ETH-PERPETUAL")
    assert found["instrument"].level is Level.FAIL
    assert "strategy.instrument" in found["instrument"].detail
    for what in ("candles", "account", "limits", "history", "channels"):
        assert found[what].level is Level.FAIL
        assert "not looked at" in found[what].detail


async def test_something_that_is_open_already(exchange: Exchange) -> None:
    order = {"instrument_name": BTC, "amount": 10, "side": "buy", "type": "market"}
    await exchange.admin.call("order", **order)
    found = await rows(exchange)
    assert found["open"].level is Level.WARN
    assert found["open"].detail.startswith("10 BTC-PERPETUAL: what is not the daemon's own")


async def test_a_platform_in_maintenance(exchange: Exchange) -> None:
    reject = {"method": "private/get_order_history_by_instrument", "code": 13503}
    await exchange.admin.call("reject", count=100, message="unavailable", **reject)
    found = await rows(exchange)
    assert found["history"].level is Level.FAIL
    assert "no order can be proven absent" in found["history"].detail
    assert found["channels"].level is Level.OK, "the next look is made all the same"


@pytest.mark.parametrize("ahead_ms, level", [(0, "ok"), (5_000, "warn"), (70_000, "FAIL")])
async def test_a_clock_that_is_wrong(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, ahead_ms: int, level: str
) -> None:
    """Deribit says nothing about its clock, and it runs as this machine's should."""
    monkeypatch.setattr(ExchangeClock, "configure", lambda *_: None)
    monkeypatch.setattr(ExchangeClock, "now_ms", lambda _self, _now: SystemClock().wall_ms())
    found = await rows(exchange, clock=Fast(ahead_ms), grant="client_credentials")
    assert found["clock"].level == level
    assert ("timedatectl" in found["clock"].detail) is (level != "ok")


async def test_a_stream_that_says_nothing(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(*_: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(broker, "TICK_S", 0.2)
    monkeypatch.setattr(stream, "subscribe", deaf)
    found = await rows(exchange)
    assert found["channels"].level is Level.WARN
    assert "silent for 0.2 s" in found["channels"].detail


async def test_nobody_there(exchange: Exchange) -> None:
    with trio.fail_after(20):
        found = await rows(exchange, url="ws://127.0.0.1:9/ws/api/v2")
    assert found["connection"].level is Level.FAIL
    assert "firewall" in found["connection"].detail


async def test_no_tls_where_there_should_be(exchange: Exchange) -> None:
    found = await rows(exchange, url=exchange.url.replace("ws://", "wss://"))
    assert found["tls"].level is Level.FAIL
    assert "CA certificates" in found["tls"].detail
    assert found["connection"].level is Level.FAIL
