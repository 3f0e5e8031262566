"""The transaction log: all pages of a stretch, at its pace, or the earlier half of it."""

from collections.abc import Callable
from decimal import Decimal

import pytest
import trio
from deribit_kit import NOW_MS, Desk

from tradebaas.deribit import statements
from tradebaas.deribit.errors import Garbled
from tradebaas.deribit.rpc import Params
from tradebaas.deribit.statements import MAX_PAGES, MAX_ROWS, statement

LOG = "private/get_transaction_log"
Row = dict[str, object]


def row(number: int, at_ms: int, funding: object = -1e-7, **changes: object) -> Row:
    """A row as the exchange sends it, unused fields included."""
    return {
        "id": number, "timestamp": at_ms, "type": "trade", "currency": "BTC", "user_seq": number,
        "instrument_name": "BTC-PERPETUAL", "interest_pl": funding, "info": {"source": "api"},
        "change": -2e-8, "balance": 1.0, "side": "close sell", "position": 0.0,
    } | changes  # fmt: skip


def log(rows: list[Row]) -> Callable[[Params], object]:
    """An account with these rows, oldest first; pages as Deribit makes them."""

    def answer(params: Params) -> object:
        start, end, count = (
            int(str(params[name])) for name in ("start_timestamp", "end_timestamp", "count")
        )
        before = int(str(params.get("continuation", 10**9)))
        found = [
            each for each in reversed(rows)
            if start <= int(str(each["timestamp"])) <= end and int(str(each["id"])) < before
            and each["currency"] == params["currency"]
        ]  # fmt: skip
        more = found[count - 1]["id"] if len(found) > count else None
        return {"logs": found[:count], "continuation": more}

    return answer


async def pause() -> None:
    await trio.sleep(1.0)


async def test_what_has_funding_is_told_by_what_was_paid() -> None:
    plain = row(3, NOW_MS, None, type="deposit", instrument_name=None)
    desk = Desk({LOG: log([row(1, NOW_MS - 1, 1.5e-7), row(2, NOW_MS, 0), plain])})
    taken = await statement(desk, ("BTC", "USDC"), NOW_MS - 10, NOW_MS, pause)
    (found,) = taken.rows
    assert (found.row_id, found.paid, found.at_ms) == ("1", Decimal("-1.5e-7"), NOW_MS - 1)
    assert taken.through_ms == NOW_MS
    assert [params["currency"] for _, params in desk.asked] == ["BTC", "USDC"]


async def test_all_pages_are_read_at_the_pace_that_is_allowed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rows = [row(n, NOW_MS - 600 + n) for n in range(2 * MAX_ROWS + 3)]
    desk = Desk({LOG: log(rows)})
    began = trio.current_time()
    taken = await statement(desk, ("BTC",), NOW_MS - 1000, NOW_MS, pause)
    assert sorted(int(each.row_id) for each in taken.rows) == list(range(len(rows)))
    assert len(desk.asked) == 3
    assert trio.current_time() - began == 2.0


async def test_what_is_too_much_is_read_in_halves(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "MAX_PAGES", 2)
    rows = [row(n, NOW_MS + n) for n in range(4 * MAX_ROWS)]
    desk, start_ms, end_ms = Desk({LOG: log(rows)}), NOW_MS, NOW_MS + len(rows)
    found: set[str] = set()
    for _ in range(8):
        taken = await statement(desk, ("BTC",), start_ms, end_ms, pause)
        found |= {each.row_id for each in taken.rows}
        assert taken.through_ms > start_ms
        start_ms = taken.through_ms
        if start_ms == end_ms:
            break
    assert len(found) == len(rows)
    assert MAX_PAGES > 2


async def test_a_single_moment_that_is_too_full_stops_nothing_else(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "MAX_PAGES", 1)
    desk = Desk({LOG: log([row(n, NOW_MS) for n in range(2 * MAX_ROWS)])})
    taken = await statement(desk, ("BTC",), NOW_MS, NOW_MS + 100, pause)
    assert (taken.rows, taken.through_ms) == ((), NOW_MS)


@pytest.mark.parametrize(
    "funding", ["NaN", "Infinity", 1e30, "1e-99999", "not a number", [], {"a": 1}]
)
async def test_a_sum_that_makes_no_sense_is_no_answer(funding: object) -> None:
    desk = Desk({LOG: log([row(1, NOW_MS, funding)])})
    with pytest.raises(Garbled):
        await statement(desk, ("BTC",), NOW_MS, NOW_MS, pause)
