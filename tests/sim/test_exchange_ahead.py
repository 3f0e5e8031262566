"""What takes long to work out holds nobody up: others have their turns between its slices."""

from typing import Any

import pytest
import trio
from exchange_kit import BTC, World
from trio.testing import MockClock

from chaos.sim.clock import EPOCH_MS
from tradebaas.paper.charts import BARS_AT_ONCE, Chart
from tradebaas.paper.day import DAY_BARS

MINUTE_MS = 60_000
OF_ONE_STEP = 10
"""Bars that a step itself may add up: the running one, for each who hears of it."""


class Turns:
    """How many bars are added up at most between two turns of another task."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = self.all = self._since = 0
        add_up = Chart._add_up

        def counted(chart: Chart, number: int) -> Any:
            self._since += 1
            self.all += 1
            return add_up(chart, number)

        monkeypatch.setattr(Chart, "_add_up", counted)

    async def run(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            self.most, self._since = max(self.most, self._since), 0


ASKED: dict[str, dict[str, Any]] = {
    "public/get_tradingview_chart_data": {
        "instrument_name": BTC, "resolution": "60",
        "start_timestamp": EPOCH_MS - 4_000 * MINUTE_MS, "end_timestamp": EPOCH_MS,
    },
    "public/ticker": {"instrument_name": BTC},
    "public/subscribe": {"channels": [f"ticker.{BTC}.100ms"]},
    "public/get_order_book": {"instrument_name": BTC},
    "public/get_book_summary_by_currency": {"currency": "any"},
    "public/get_trade_volumes": {},
}  # fmt: skip


@pytest.mark.parametrize("method", ASKED)
async def test_a_cold_read_leaves_others_their_turns(
    method: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, turns = World(), Turns(monkeypatch)
    async with world.running(), world.client() as client, trio.open_nursery() as nursery:
        number = await client.send(method, **ASKED[method])
        nursery.start_soon(turns.run)
        assert "result" in await client.answer(number)
        nursery.cancel_scope.cancel()
    assert turns.all >= DAY_BARS - 1, "there was nothing to do"
    # Trio may wake the other task before one slice and after the next.
    assert turns.most <= 2 * BARS_AT_ONCE + OF_ONE_STEP


async def test_a_chart_is_the_same_in_one_go(autojump_clock: MockClock) -> None:
    asked = ASKED["public/get_tradingview_chart_data"]
    world = World()
    async with world.running(), world.client() as client:
        sliced = await client.call("public/get_tradingview_chart_data", **asked)
    async with world.running():
        chart = world.exchange.display.feeds.charts[BTC]
        whole: Any = chart.columns(60, EPOCH_MS - 4_000 * MINUTE_MS, EPOCH_MS)
    assert len(sliced["ticks"]) == 67
    assert sliced["ticks"] == whole["ticks"]
    assert [float(price) for price in whole["high"]] == sliced["high"]


@pytest.mark.parametrize(
    "more", [{}, {"resolution": "7"}, {"resolution": 60}, {"x": [[[[[[[1]]]]]]]}]
)
async def test_who_asks_wrongly_is_told_by_the_call(
    autojump_clock: MockClock, more: dict[str, Any]
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        error = await client.call(
            "public/get_tradingview_chart_data", instrument_name=BTC, start_timestamp=0, **more
        )
        assert error["code"] == -32602
