"""The link against the embedded exchange, a real process on a real socket."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec import Struct

from tradebaas.config import SCOPE
from tradebaas.core.model import Absence, Direction, Instrument, Intent, Leg, Role
from tradebaas.core.proof import PLACES
from tradebaas.deribit import reads, stream, trade
from tradebaas.deribit.auth import GRANTS, Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import Link, LinkLost, open_link
from tradebaas.runtime.ports import system_ports

PORTS = system_ports()
BTC = "BTC-PERPETUAL"
LINEAR = "BTC_USDC-PERPETUAL"
SPEED = 60


class Timeframe(Struct, frozen=True):
    ms: int = 60_000
    resolution: str = "1"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running exchange with a generated market, a minute a second."""
    home = tmp_path_factory.mktemp("exchange")
    command = [sys.executable, "-m", "tradebaas.paper", "--directory", str(home)]
    process = subprocess.Popen([*command, "--speed", str(SPEED), "--seed", "5", "--admin"])
    try:
        yield _address(home / "address", process)
    finally:
        process.terminate()
        process.wait(10)


def _address(path: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return str(json.loads(path.read_text(encoding="utf-8"))["url"])
        time.sleep(0.02)
    pytest.fail("the exchange did not start")


@asynccontextmanager
async def linked(
    url: str, grant: str = "client_signature", secret: str = "paper-secret"
) -> AsyncIterator[Link]:
    endpoint = Endpoint(url, Credentials("paper", secret), grant, SCOPE)
    async with open_link(endpoint, PORTS, Credits(), inbox=256) as link:
        yield link


def now_ms(link: Link) -> int:
    return link.clock.now_ms(PORTS.clock.monotonic())


_labels = iter(range(1, 1_000_000))


async def entry(link: Link, instrument: Instrument, amount: str = "1000") -> Intent:
    """A buy at the market's price, with a stop and a take 500 away."""
    ask = (await reads.ticker(link, instrument.name)).ask
    stem, now = f"tb1-test-{next(_labels)}-", now_ms(link)
    return Intent(
        label=stem + "e",
        role=Role.ENTRY,
        instrument=instrument.name,
        direction=Direction.BUY,
        amount=Decimal(amount),
        order_type="limit",
        reduce_only=False,
        life=1,
        connection=1,
        intended_ms=now,
        valid_until_ms=now + 2000 * SPEED,
        price=ask + 100,
        legs=(
            Leg(label=stem + "s", order_type="stop_market", trigger_price=ask - 500),
            Leg(label=stem + "t", order_type="limit", price=ask + 500),
        ),
    )


async def probe(link: Link, intent: Intent, instrument: Instrument) -> reads.Found | Absence:
    labels = (intent.label, *(leg.label for leg in intent.legs))
    return await reads.probe(link, labels, instrument, intent.intended_ms)


async def flatten(link: Link) -> None:
    """Close what a test opened."""
    for position in (await reads.positions(link)).found:
        params: dict[str, object] = {"instrument_name": position.instrument, "type": "market"}
        await link.call("private/close_position", params)
    await link.call("private/cancel_all", {})


@pytest.mark.parametrize("grant", GRANTS)
async def test_login_with_each_grant(url: str, grant: str) -> None:
    async with linked(url, grant) as link:
        assert link.clock.rate == SPEED
        assert not link.clock.lockstep
        assert abs(await reads.server_time(link) - now_ms(link)) < 20 * SPEED


@pytest.mark.parametrize("grant", GRANTS)
async def test_a_wrong_secret(url: str, grant: str) -> None:
    with pytest.raises(LinkLost, match="13004 invalid_credentials"):
        async with linked(url, grant, secret="wrong"):
            pytest.fail("got in")


async def test_nobody_listens() -> None:
    with pytest.raises(LinkLost):
        async with linked("ws://127.0.0.1:1/ws/api/v2"):
            pytest.fail("got in")


async def test_another_path_is_rejected(url: str) -> None:
    with pytest.raises(LinkLost, match="404"):
        async with linked(url.replace("v2", "v1")):
            pytest.fail("got in")


@pytest.mark.parametrize("name, amount", [(BTC, "1000"), (LINEAR, "0.05")])
async def test_a_bracket_from_birth_to_cancel(url: str, name: str, amount: str) -> None:
    async with linked(url) as link:
        instrument = await reads.instrument(link, name)
        await stream.subscribe(link, instrument, Timeframe())
        intent = await entry(link, instrument, amount)
        outcome = await trade.place(link, intent, lambda: True)
        assert isinstance(outcome, trade.Accepted)
        assert [order.state for order in outcome.orders] == ["filled"]
        (fill,) = outcome.fills
        assert (fill.amount, fill.currency) == (Decimal(amount), instrument.currency)
        assert (fill.contract, fill.label) == (instrument.kind, intent.label)

        changes = await heard(link, intent.label)
        assert outcome.fills[0] in changes.fills
        stop = next(o for o in changes.orders if o.label.endswith("-s") and o.live)
        assert not stop.waiting
        assert (stop.reduce_only, stop.amount) == (True, Decimal(amount))

        (position,) = (await reads.positions(link)).found
        assert (position.instrument, position.size) == (name, Decimal(amount))
        labels = sorted(order.label for order in await reads.open_orders(link))
        assert labels == sorted(leg.label for leg in intent.legs)
        assert outcome.fills[0] in await reads.trades(link, instrument, intent.intended_ms)

        cancelled = await trade.cancel(link, stop.order_id)
        assert not isinstance(cancelled, trade.Gone)
        assert cancelled.state == "cancelled"
        assert isinstance(await trade.cancel(link, stop.order_id), trade.Gone)
        assert await reads.order(link, stop.order_id) == cancelled
        await flatten(link)
        assert (await reads.positions(link)).found == ()


async def heard(link: Link, label: str) -> stream.Changes:
    """The first changes in which an order bears ``label``."""
    with trio.fail_after(5):
        async for item in link.notifications:
            if isinstance(item, stream.Changes) and label in {o.label for o in item.orders}:
                return item
    raise AssertionError("the inbox ended")


async def test_an_order_under_a_guard_that_says_no_leaves_no_trace(url: str) -> None:
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        intent = await entry(link, instrument)
        assert isinstance(await trade.place(link, intent, lambda: False), trade.NotSent)
        assert isinstance(await probe(link, intent, instrument), Absence)


async def test_a_refusal(url: str) -> None:
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        outcome = await trade.place(link, await entry(link, instrument, "1001"), lambda: True)
        assert isinstance(outcome, trade.Rejected)
        assert "multiple of contract size" in outcome.message


async def admin(url: str, method: str, params: dict[str, object]) -> Any:
    """A call of the test driver, on a connection of its own."""
    async with linked(url) as driver:
        return await driver.call(method, params)


async def test_a_lost_answer_is_lost_and_then_found(url: str) -> None:
    await admin(url, "admin/lose_answer", {"method": "private/buy"})
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        intent = await entry(link, instrument)
        outcome = await trade.place(link, intent, lambda: True)
        assert isinstance(outcome, trade.Lost)
        with pytest.raises(LinkLost):
            await anext(link.notifications)
    async with linked(url) as link:
        found = await probe(link, intent, instrument)
        assert isinstance(found, reads.Found)
        assert {order.label for order in found.orders} >= {intent.label}
        assert sum(fill.amount for fill in found.fills) == 1000
        await flatten(link)


async def test_a_swallowed_order_is_lost_and_then_proven_absent(url: str) -> None:
    await admin(url, "admin/refuse_before", {"method": "private/buy"})
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        intent = await entry(link, instrument)
        assert isinstance(await trade.place(link, intent, lambda: True), trade.Lost)
    async with linked(url) as link:
        began = await reads.server_time(link)
        absence = await probe(link, intent, instrument)
        assert isinstance(absence, Absence)
        assert set(absence.sources) == PLACES.keys()
        assert absence.read_ms >= began


async def test_both_stores_are_searched_for_an_old_intent(url: str) -> None:
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        intent = await entry(link, instrument)
        await trade.place(link, intent, lambda: True)
        old = intent.intended_ms - 3_600_000
        found = await reads.probe(link, (intent.label,), instrument, old)
        assert isinstance(found, reads.Found)
        await flatten(link)


async def test_a_frame_that_makes_no_sense_is_kept_and_the_next_is_read(url: str) -> None:
    async with linked(url) as link:
        await admin(url, "admin/frame", {"text": '{"jsonrpc":"2.0","method":"sub'})
        item = await anext(link.notifications)
        assert isinstance(item, stream.Unreadable)
        assert item.raw == '{"jsonrpc":"2.0","method":"sub'
        assert await reads.server_time(link) > 0


async def test_bars_heard_are_the_bars_of_history(url: str) -> None:
    async with linked(url) as link:
        instrument = await reads.instrument(link, BTC)
        await stream.subscribe(link, instrument, Timeframe())
        last: dict[int, stream.BarTick] = {}
        with trio.fail_after(10):
            async for item in link.notifications:
                if isinstance(item, stream.BarTick):
                    last[item.candle.open_ms] = item
                if len(last) == 4:
                    break
        history = {
            bar.open_ms: bar for bar in await reads.history(link, instrument, Timeframe(), 20)
        }
        whole = sorted(last)[:-1]
        assert [last[ms].candle for ms in whole] == [history[ms] for ms in whole]


async def test_a_dropped_connection_ends_the_inbox(url: str) -> None:
    async with linked(url) as link:
        await admin(url, "admin/disconnect", {})
        with pytest.raises(LinkLost):
            await anext(link.notifications)
