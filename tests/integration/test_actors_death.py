"""Every actor dies in every lifecycle state; the crew comes back and carries on where it stood."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.unit.actors.exchange import BRACKET, REDUCE
from tests.unit.actors.world import World, new_world
from tradebaas.core.messages import ClosePosition
from tradebaas.core.model import Phase, Role
from tradebaas.core.state import State, pending_with

ACTORS = ("persister", "reconciler", "backups", "metrics", "strategy")


async def idle(_world: World) -> None:
    """Nothing was armed yet."""


async def analyzing(world: World) -> None:
    await world.arm(active=0)


async def signal_detected(world: World) -> None:
    """The login is held back, so that the signal waits for its permit."""
    await world.exchange.admin.call("hold", method="public/auth")
    await world.exchange.admin.call("disconnect")
    await world.until(lambda s: s.connection == 0, "the end of the connection")
    await world.arm()


async def entering_position(world: World) -> None:
    """The order is at the exchange, its answer is held back."""
    await world.exchange.admin.call("hold", method="private/buy", params_match=BRACKET)
    await world.arm()
    await world.poll(world.exchange.entries, "the entry to reach the exchange")


async def position_open(world: World) -> None:
    await world.open_position()


async def closing(world: World) -> None:
    """The answer to the closing order is held back."""
    await world.open_position()
    await world.exchange.admin.call("hold", method="private/sell", params_match=REDUCE)
    await world.command(ClosePosition(reason="asked to"))
    await world.until(lambda s: bool(pending_with(s, Role.CLOSE)), "the closing intent")


STEER: dict[Phase, Callable[[World], Awaitable[None]]] = {
    Phase.IDLE: idle,
    Phase.ANALYZING: analyzing,
    Phase.SIGNAL_DETECTED: signal_detected,
    Phase.ENTERING_POSITION: entering_position,
    Phase.POSITION_OPEN: position_open,
    Phase.CLOSING: closing,
}


def _closed(before: State, state: State) -> bool:
    """The position is gone, its trade is recorded, and the phase is the one to go back to."""
    back = Phase.ANALYZING if state.armed else Phase.IDLE
    return state.phase is back and state.counters.trades == before.counters.trades + 1


CONTINUES: dict[Phase, Callable[[State, State], bool]] = {
    Phase.IDLE: lambda _before, state: state.phase is Phase.IDLE,
    Phase.ANALYZING: lambda _before, state: state.phase is Phase.ANALYZING,
    Phase.SIGNAL_DETECTED: lambda _before, state: state.phase is Phase.POSITION_OPEN,
    Phase.ENTERING_POSITION: lambda _before, state: state.phase is Phase.POSITION_OPEN,
    Phase.POSITION_OPEN: lambda before, state: (
        state.position is not None and state.position == before.position
    ),
    Phase.CLOSING: _closed,
}
"""Where each phase must get to, given the state before the death and the one after."""


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("actor", ACTORS)
async def test_the_crew_survives_the_death(tmp_path: Path, actor: str, phase: Phase) -> None:
    async with new_world(tmp_path) as world:
        await STEER[phase](world)
        before = world.state if world.state.phase is phase else await world.phase(phase)
        reports = len(world.reports())
        world.kill(actor)
        await world.until(lambda s: s.life == before.life + 1, "the next life")
        await world.exchange.admin.call("release")
        await world.until(lambda s: CONTINUES[phase](before, s), f"{phase} to go on")
        await world.ready()
        await world.agree()
        report = world.reports()[reports].report
        assert (report.life, report.cause) == (before.life + 1, f"{actor} Killed")
        assert report.phase is phase
        unresolved = {p.intent.label for p in before.pending.values()}
        assert set(report.unresolved) == unresolved
        assert unresolved <= {f.label for f in report.findings}
        assert world.state.counters.crashes == 1
        if phase in (Phase.SIGNAL_DETECTED, Phase.ENTERING_POSITION, Phase.POSITION_OPEN):
            assert len(world.exchange.entries()) == 1


async def test_an_entry_that_was_never_sent_is_not_sent_by_the_next_life(tmp_path: Path) -> None:
    """The intent is durable and the crew dies in the same instant: unknown, then proven absent."""
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("refuse_before", method="private/buy")
        killed = False

        def kill_at_once(state: State) -> bool:
            nonlocal killed
            if not killed and pending_with(state, Role.ENTRY):
                killed = True
                world.kill("persister")
            return killed

        await world.arm()
        await world.until(kill_at_once, "the intent")
        await world.until(lambda s: s.life == 2, "the next life")
        await world.ready()
        assert world.state.counters.orders_abandoned + world.state.counters.orders_adopted == 1
        await world.agree()


async def test_a_death_while_the_store_opens_leaves_the_store_usable(tmp_path: Path) -> None:
    """The log is opened in a thread; a cancellation then must not lose it with its lock held."""
    async with new_world(tmp_path) as world:
        life = world.state.life
        world.kill_at_birth("persister")
        world.kill("strategy")
        await world.until(lambda s: s.life > life, "a life after the one that died at birth")
        await world.ready()
        assert world.lives.deaths == 2
        died_of = world.board.restarts
        assert sorted(cause.actor for cause in died_of.elements()) == ["persister", "strategy"]
        await world.agree()


async def test_prices_of_a_dead_life_are_not_traded_on(tmp_path: Path) -> None:
    """Connections are numbered per life, so an old market would pass for the new one's."""
    async with new_world(tmp_path) as world:
        await world.poll(lambda: world.board.market.value is not None, "a market")
        await world.exchange.admin.call("hold", method="public/auth")
        world.kill("persister")
        await world.until(lambda s: s.life == 2, "the next life")
        link = world.board.link.value
        assert world.board.market.value is None
        assert link is not None
        assert not link.up
        await world.exchange.admin.call("release")
        await world.ready()
