"""Orders whose answers are held, lost, refused or unreadable; and what the owner does meanwhile."""

from pathlib import Path

import pytest

from tests.unit.actors.exchange import BRACKET, INSTRUMENT, exchange_on
from tests.unit.actors.world import World, bounded, new_world, world_on
from tradebaas.actors import session
from tradebaas.core.events import (
    ForeignFound,
    FrameRefused,
    LifeEnded,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
    SignalDropped,
    TradeClosed,
)
from tradebaas.core.messages import Halt
from tradebaas.core.model import ZERO, Phase, Role
from tradebaas.core.proof import PLACES
from tradebaas.core.state import pending_with
from tradebaas.errors import Unusable

CALM = (Phase.ANALYZING, Phase.POSITION_OPEN)


def entry_intents(world: World) -> list[OrderIntended]:
    return [
        event
        for event in world.of(OrderIntended)
        if isinstance(event, OrderIntended) and event.intent.role is Role.ENTRY
    ]


async def owners_order(world: World, side: str, amount: object, **more: object) -> None:
    await world.exchange.admin.call(
        "order", side=side, instrument_name=INSTRUMENT, amount=amount, **more
    )


# ---------------------------------------------------------------------------------- outcomes


async def test_an_entry_whose_answer_is_held_is_adopted_after_the_link_is_lost(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("hold", method="private/buy", params_match=BRACKET)
        await world.arm()
        await world.poll(world.exchange.entries, "the entry to reach the exchange")
        await world.exchange.admin.call("disconnect")
        await world.until(lambda s: s.counters.orders_unknown == 1, "an unknown outcome")
        await world.exchange.admin.call("release")
        await world.covered()
        assert len(world.of(OrderUnknown)) == len(world.of(OrderAdopted)) == 1
        assert len(world.exchange.entries()) == 1
        assert world.state.life == 1
        await world.agree()


async def test_an_entry_that_was_executed_and_not_answered_is_adopted(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("lose_answer", method="private/buy")
        await world.open_position()
        await world.until(lambda s: s.connection == s.reconciled == 2, "the next connection")
        # The news of the fill may come before the connection breaks; then nothing was in doubt.
        assert len(world.of(OrderUnknown)) == len(world.of(OrderAdopted)) <= 1
        assert len(world.exchange.entries()) == len(entry_intents(world)) == 1
        await world.agree()


async def test_an_entry_that_never_arrived_is_abandoned_with_proof(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("refuse_before", method="private/buy")
        await world.arm()
        await world.until(lambda s: s.counters.orders_abandoned == 1, "the proof")
        (abandoned,) = world.of(OrderAbandoned)
        assert isinstance(abandoned, OrderAbandoned)
        intent = entry_intents(world)[0].intent
        evidence = abandoned.evidence
        assert evidence.label == intent.label
        assert set(evidence.sources) >= PLACES.keys()
        assert evidence.read_ms > intent.valid_until_ms + 5_000
        assert intent.label not in world.exchange.entries()
        await world.until(lambda s: s.phase in CALM, "trading to go on")
        signals = [event.intent.signal_id for event in entry_intents(world)]
        assert signals.count(intent.signal_id) == 1


async def test_an_explicit_refusal_is_no_doubt(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call(
            "reject", method="private/buy", code=10009, message="not_enough_funds"
        )
        await world.arm()
        await world.until(lambda s: s.counters.orders_rejected == 1, "the refusal")
        (rejected,) = world.of(OrderRejected)
        assert isinstance(rejected, OrderRejected)
        assert (rejected.code, rejected.message) == (10009, "not_enough_funds")
        assert not world.of(OrderUnknown)
        assert world.state.connection == 1


async def test_where_linked_orders_may_not_be_immediate_or_cancel_entries_rest(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call(
            "reject", method="private/buy", count=1, code=11047,
            message="unsupported_arg_combination",
        )  # fmt: skip
        await world.arm()
        await world.until(lambda s: s.counters.orders_rejected == 1, "the refusal")
        await world.clear()
        await world.open_position()
        *_, (label, order) = ((o["label"], o) for o in world.exchange.journal("order")
                              if str(o["label"]).endswith("-e"))  # fmt: skip
        assert label == entry_intents(world)[-1].intent.label
        assert order["time_in_force"] == "good_til_cancelled"
        assert len(entry_intents(world)) == 2, "what was refused was not sent again"
        await world.agree()


async def test_a_refusal_that_proves_nothing_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("reject", method="private/buy", code=10040, message="retry")
        await world.arm()
        await world.until(lambda s: s.counters.orders_unknown == 1, "the doubt")
        await world.until(lambda s: s.counters.orders_abandoned == 1, "the proof")
        assert not world.of(OrderRejected)
        assert len(world.exchange.entries()) <= len(entry_intents(world))


async def test_an_unreadable_answer_to_an_order_makes_it_unknown(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        world.wires.corrupt = (b'"order":', b'"0rder":')
        await world.arm()
        await world.until(lambda s: s.counters.orders_unknown == 1, "the doubt")
        await world.covered()
        frames = [event for event in world.of(FrameRefused) if isinstance(event, FrameRefused)]
        assert any('"0rder"' in frame.raw for frame in frames)
        assert len(world.of(OrderAdopted)) == 1
        assert len(world.exchange.entries()) == 1
        await world.agree()


async def test_a_drain_with_an_order_under_way_leaves_it_in_doubt_and_the_next_start_adopts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "DRAIN_S", 0.1)
    async with new_world(tmp_path) as world:
        await world.exchange.admin.call("hold", method="private/buy", params_match=BRACKET)
        await world.arm()
        await world.poll(world.exchange.entries, "the entry to reach the exchange")
        await world.stop()
        (unknown,) = world.of(OrderUnknown)
        assert isinstance(unknown, OrderUnknown)
        assert "connection lost before an answer" in unknown.reason
        assert isinstance(world.events()[-1][1], LifeEnded)
        await world.exchange.admin.call("release")
        world.start()
        await world.until(lambda s: s.life == 2 and not s.recovering.cause, "the recovery")
        await world.covered()
        assert len(world.exchange.entries()) == 1
        await world.agree()


async def test_an_entry_that_was_halted_before_it_was_sent_is_never_sent(tmp_path: Path) -> None:
    """Signal and halt come in one commit: the intent is durable, and forbidden at once."""
    async with new_world(tmp_path) as world:
        await world.arm(active=0)
        await world.poll(lambda: world.board.market.value is not None, "a market")
        proposed, halted = await world.together(world.propose(), Halt(by="test", reason="now"))
        assert len(entry_intents(world)) == 1, (proposed, halted)
        await world.until(lambda s: s.phase is Phase.ANALYZING and not s.pending, "its end")
        assert world.of(OrderNotSent)
        assert world.exchange.entries() == []
        assert world.state.connection == 1


# ------------------------------------------------------------------------------------ frames


BAD_FRAMES = (
    "not json {",
    '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"nobody.asked","data":{}}}',
    '{"jsonrpc":"2.0","method":"subscription","params":'
    f'{{"channel":"ticker.{INSTRUMENT}.100ms","data":{{"mark_price":"NaN"}}}}}}',
    '{"jsonrpc":"2.0","method":"unheard_of","params":{}}',
    '{"jsonrpc":"2.0","id":999999,"result":1}',
    "[" * 30_000,
)


async def test_bad_frames_are_kept_raw_and_the_next_ones_are_understood(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        for number, text in enumerate(BAD_FRAMES, start=1):
            await world.exchange.admin.call("frame", text=text)
            await world.until(
                lambda s, number=number: s.counters.frames_refused == number,  # type: ignore[misc]
                f"frame {number}, {text[:80]}, to be kept",
            )
        kept = [event.raw for event in world.of(FrameRefused) if isinstance(event, FrameRefused)]
        for text, raw in zip(BAD_FRAMES, kept, strict=True):
            assert raw.startswith(text[:40]) or "999999" in raw
        assert max(map(len, kept)) <= 4096
        version = world.board.market.version
        await bounded(world.board.market.wait_newer(version), "the next prices", world)
        assert (world.state.life, world.state.connection) == (1, 1)


async def test_a_flood_of_bad_frames_fills_no_log(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        for _ in range(80):
            await world.exchange.admin.call("frame", text="rubbish")
        version = world.board.market.version
        await bounded(world.board.market.wait_newer(version), "the next prices", world)
        await world.until(lambda s: s.counters.frames_refused == 60, "the hour's share")
        assert world.state.life == 1


# ----------------------------------------------------------------------------------- the owner


async def remove_stop(world: World) -> str:
    """The owner cancels our stop; returns its id."""
    (stop,) = (o for o in world.state.orders.values() if o.role is Role.STOP)
    await world.exchange.admin.call("cancel", order_id=stop.order_id)
    return stop.order_id


async def test_a_removed_stop_is_put_back(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        gone = await remove_stop(world)
        await world.until(lambda s: gone not in s.orders, "the news")
        state = await world.covered()
        assert gone not in state.orders
        assert state.counters.stops_replaced >= 1
        assert state.counters.naked_ms_total > 0
        await world.agree()


async def test_a_stop_removed_while_the_daemon_was_dead_is_put_back(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.open_position()
        await world.die()
        gone = await remove_stop(world)
        world.start()
        await world.until(lambda s: s.life == 2 and not s.recovering.cause, "the recovery")
        state = await world.covered()
        assert gone not in state.orders
        report = world.reports()[-1].report
        assert (report.life, report.cause) == (2, "killed")
        assert report.naked_ms > 0
        await world.agree()


@pytest.mark.parametrize("dead", [False, True])
async def test_the_owner_closes_our_position(tmp_path: Path, dead: bool) -> None:
    async with new_world(tmp_path) as world:
        state = await world.open_position()
        assert state.position is not None
        if dead:
            await world.die()
        await owners_order(world, "sell", state.position.size, type="market")
        if dead:
            world.start()
        await world.until(lambda s: s.counters.trades == 1, "the trade")
        (closed,) = world.of(TradeClosed)
        assert isinstance(closed, TradeClosed)
        assert closed.trade.amount == state.position.size
        assert closed.trade.ours
        await world.clear()
        await world.agree()
        assert await world.exchange.orders() == {}


async def test_a_foreign_order_is_left_alone_and_keeps_us_from_trading(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await owners_order(world, "buy", 10, type="limit", price=40_000)
        await world.until(lambda s: bool(s.foreign), "the foreign order")
        (order_id,) = await world.exchange.orders()
        await world.arm(active=0)
        await world.command(world.propose())
        assert world.of(SignalDropped)
        (found,) = world.of(ForeignFound)
        assert isinstance(found, ForeignFound)
        assert order_id in found.key
        assert list(await world.exchange.orders()) == [order_id]
        await world.exchange.admin.call("cancel", order_id=order_id)
        await world.until(lambda s: not s.foreign, "the end of the quarantine")
        await world.command(world.propose())
        await world.covered()
        await world.agree()


async def test_a_foreign_position_is_left_alone_and_keeps_us_from_trading(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        await world.die()
        await owners_order(world, "sell", 500, type="market")
        world.start()
        await world.until(lambda s: bool(s.foreign), "the foreign position")
        await world.arm(active=0)
        await world.command(world.propose())
        assert world.of(SignalDropped)
        assert await world.exchange.position() == -500
        assert world.exchange.entries() == []
        await owners_order(world, "buy", 500, type="market")
        await world.exchange.admin.call("disconnect")  # the next full read is 30 s away
        await world.until(
            lambda s: not s.foreign and s.connection == s.reconciled == 2,
            "the end of the quarantine on the next connection",
        )
        await world.command(world.propose())
        await world.covered()
        await world.agree()


# ---------------------------------------------------------------------------- the connection


async def test_another_account_is_refused_for_good(tmp_path: Path) -> None:
    async with (
        exchange_on(tmp_path / "one") as one,
        exchange_on(tmp_path / "two") as two,
    ):
        async with world_on(one, tmp_path / "data") as world:
            await world.ready()
            await world.stop()
        async with world_on(two, tmp_path / "data") as world:
            await bounded(world.ended.wait(), "the daemon to refuse", world)
            assert isinstance(world.error, Unusable)
            assert world.error.exit_code == 78
            assert one.url in str(world.error)
            assert two.url in str(world.error)
            assert "data directory" in str(world.error)


async def test_without_an_exchange_at_start_it_waits_and_the_stop_stays(tmp_path: Path) -> None:
    async with new_world(tmp_path) as world:
        size = (await world.open_position()).position
        assert size is not None
        await world.stop()
        world.wires.up = False
        world.start()
        await world.until(lambda s: s.life == 2, "the store to be recovered")
        await world.poll(lambda: "network is down" in world.link().detail, "an attempt to connect")
        assert (world.state.phase, world.state.connection) == (Phase.POSITION_OPEN, 0)
        assert await world.exchange.live_stop() >= size.size
        assert world.lives.deaths == 0
        world.wires.up = True
        await world.ready()
        await world.agree()
        assert world.link().reconnects == 0, "no connection of this life had been up before"


async def test_arming_another_timeframe_or_instrument_leads_to_a_new_session(
    tmp_path: Path,
) -> None:
    async with new_world(tmp_path) as world:
        for timeframe, instrument in (("5m", INSTRUMENT), ("5m", "BTC_USDC-PERPETUAL")):
            before = world.state.connection
            await world.arm(timeframe=timeframe, instrument=instrument)
            await world.until(lambda s: s.phase is Phase.POSITION_OPEN, "a position")
            market = world.board.market.value
            position = world.state.position
            assert market is not None
            assert position is not None
            assert (market.instrument.name, market.timeframe_ms) == (instrument, 300_000)
            assert position.instrument == instrument
            assert world.state.connection == before + 1
            assert world.link().reconnects == before
            await world.clear()
        assert world.state.life == 1
        assert world.state.position is None
        assert all(net != ZERO for net in world.state.counters.net.values())
        assert not pending_with(world.state, Role.ENTRY)
