"""Rate credits of the embedded exchange: who calls too often is told so, and has to leave."""

import pytest
from paper_kit import ALICE, FLAT, Guest, Lab, RpcError, replay

from tradebaas.paper.credits import TIERS, Credits, limits_of
from tradebaas.paper.params import Refused

LIMITS = limits_of(4)


def calls_at_once(credits: Credits, method: str, now_ms: int, *, changes_orders: bool) -> int:
    for count in range(1_000):
        try:
            credits.take(method, changes_orders=changes_orders, now_ms=now_ms)
        except Refused:
            return count
    return 1_000


@pytest.mark.parametrize(
    ("method", "changes_orders", "pool"),
    [
        ("private/buy", True, "matching"),
        ("private/cancel_all", True, "cancel_all"),
        ("private/get_positions", False, "general"),
        ("private/subscribe", False, "subscribe"),
        ("public/get_instruments", False, "instruments"),
    ],
)
def test_each_pool_has_its_burst_and_its_rate(method: str, changes_orders: bool, pool: str) -> None:
    credits, limit = Credits(LIMITS), LIMITS[pool]
    assert calls_at_once(credits, method, 0, changes_orders=changes_orders) == limit.burst
    assert calls_at_once(credits, method, 2_000, changes_orders=changes_orders) == 2 * limit.rate
    assert calls_at_once(credits, method, 10**9, changes_orders=changes_orders) == limit.burst


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    credits = Credits(LIMITS)
    calls_at_once(credits, "private/buy", 10_000, changes_orders=True)
    assert calls_at_once(credits, "private/buy", 5_000, changes_orders=True) == 0
    assert calls_at_once(credits, "private/buy", 6_000, changes_orders=True) == 5


def test_a_driver_costs_nothing() -> None:
    lab = Lab(replay(FLAT))
    for _ in range(2 * LIMITS["general"].burst):
        lab.call("admin/state")


def test_a_lockstep_market_costs_nothing() -> None:
    lab = Lab(replay(FLAT))
    for _ in range(200):
        lab.call("private/get_positions")


def test_each_account_has_its_own_and_the_public_has_one() -> None:
    lab = Lab(replay(FLAT), lockstep=False, **ALICE)
    alice, burst = Guest(lab, "alice"), LIMITS["general"].burst
    for _ in range(burst):
        lab.call("private/get_positions")
    with pytest.raises(RpcError) as spent:
        lab.call("private/get_positions")
    assert spent.value.code == 10028
    for _ in range(burst):
        alice.call("private/get_positions")
    stranger = lab.exchange.connect().number
    answer = lab.raw('{"id": 1, "method": "public/get_time"}', stranger)
    assert "result" in answer[0]


def test_the_account_says_what_it_is_allowed() -> None:
    limits = Lab(replay(FLAT)).call("private/get_account_summary", currency="BTC")["limits"]
    assert limits["matching_engine"]["trading"]["total"] == {"rate": 5, "burst": 20}
    assert limits["non_matching_engine"] == {"rate": 20, "burst": 100}


@pytest.mark.parametrize("tier", list(TIERS))
def test_who_trades_more_may_call_more(tier: int) -> None:
    lab = Lab(replay(FLAT), lockstep=False, tier=tier)
    told = lab.call("private/get_account_summary", currency="BTC")["limits"]["matching_engine"]
    assert told["trading"]["total"] == TIERS[tier]._asdict()
    for _ in range(TIERS[tier].burst):
        lab.call("private/cancel_by_label", label="none", currency="BTC")
    with pytest.raises(RpcError) as spent:
        lab.call("private/cancel_by_label", label="none", currency="BTC")
    assert spent.value.code == 10028
