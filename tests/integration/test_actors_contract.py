"""The exchange changes its contract, or closes it, while the daemon runs."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.actors.exchange import INSTRUMENT
from tests.unit.actors.world import World, new_world
from tradebaas.actors import contract
from tradebaas.actors.causes import CLOSED
from tradebaas.core.events import LinkLost, OrderRejected, ProtectOnlyLeft
from tradebaas.core.model import Role
from tradebaas.paper import feeds
from tradebaas.paper.instruments import INSTRUMENTS
from tradebaas.paper.terms import Terms

COARSE = Decimal(7)


def reasons(world: World) -> list[str]:
    return [e.reason for e in world.of(LinkLost) if isinstance(e, LinkLost)]


async def test_an_order_that_is_refused_for_its_tick_has_the_contract_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_world(tmp_path) as world:
        await world.ready()
        coarse = replace(INSTRUMENTS[INSTRUMENT], tick_size=COARSE)
        monkeypatch.setitem(INSTRUMENTS, INSTRUMENT, coarse)
        await world.arm()
        await world.covered()
        assert len(world.of(OrderRejected)) == 1
        (reason,) = reasons(world)
        assert f"the exchange has changed the terms of {INSTRUMENT}" in reason
        stop = next(o for o in world.state.orders.values() if o.role is Role.STOP)
        assert stop.trigger_price is not None
        assert stop.trigger_price % COARSE == 0
        await world.agree()


async def test_a_closed_contract_is_not_traded_and_its_opening_needs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Terms.state
    async with new_world(tmp_path) as world:
        await world.ready()
        monkeypatch.setattr(Terms, "state", lambda _terms, _now_ms: "locked")
        monkeypatch.setattr(contract, "CLOSED_EVERY_S", 0.2)
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: CLOSED in s.protect, "the cause")
        await world.arm()
        monkeypatch.setattr(Terms, "state", state)
        await world.covered()
        assert any(isinstance(e, ProtectOnlyLeft) and e.cause == CLOSED for _, e in world.events())
        await world.agree()


async def test_a_word_for_its_state_that_nobody_knows_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terms, "state", lambda _terms, _now_ms: "auction")
    monkeypatch.setitem(feeds.STATE_NEWS, "auction", "started")
    async with new_world(tmp_path) as world:
        await world.until(lambda s: CLOSED in s.protect, "the cause")
