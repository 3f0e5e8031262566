"""Calls on a living and a dying link: each ends, and says truly whether it was written."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from link_kit import HEARTBEAT, TEST_REQUEST, Asked, Exchange, linked
from trio.testing import MockClock, wait_all_tasks_blocked

from tradebaas.deribit import stream
from tradebaas.deribit.errors import Garbled, NotSent
from tradebaas.deribit.link import CallFailed, Link, LinkLost, Unanswered
from tradebaas.deribit.pending import MAX_UNWRITTEN
from tradebaas.deribit.rpc import Params, Priority, text_of

Outcomes = dict[str, object]


async def note(
    outcomes: Outcomes, name: str, call: Callable[..., Any], *args: Any, **more: Any
) -> None:
    """Call, and note the answer's text or the exception under ``name``."""
    try:
        outcomes[name] = text_of((await call(*args, **more)).result)
    except (LinkLost, Unanswered, CallFailed) as error:
        outcomes[name] = error


async def received(exchange: Exchange, count: int) -> list[Asked]:
    return [await exchange.calls.receive() for _ in range(count)]


# ------------------------------------------------------------------------------------- answers


async def test_answers_may_overtake_each_other() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(note, outcomes, name, link.call, f"private/get_{name}", {"n": name})
        for asked in reversed(await received(exchange, 3)):
            await exchange.answer(asked, asked.params["n"])
    assert outcomes == {"a": '"a"', "b": '"b"', "c": '"c"'}
    ids = [asked.id for asked in exchange.log]
    assert len(ids) == len(set(ids))


async def test_a_notification_may_precede_the_answer() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "buy", link.call, "private/buy", {})
        (asked,) = await received(exchange, 1)
        await exchange.notify("user.changes.future.BTC.raw", {"orders": [], "trades": []})
        assert isinstance(await anext(link.notifications), stream.Changes)
        assert outcomes == {}
        await exchange.answer(asked, 1)
    assert outcomes == {"buy": "1"}


async def test_an_error_answer() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "x", link.call, "private/x", {})
        await exchange.fail((await received(exchange, 1))[0], 10009, "not_enough_funds")
    error = outcomes["x"]
    assert isinstance(error, CallFailed)
    assert (error.method, error.code, error.message) == ("private/x", 10009, "not_enough_funds")


async def test_no_answer_in_time_and_the_late_one_is_nobodys(autojump_clock: MockClock) -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange):
        await note(outcomes, "x", link.call, "private/buy", {})
        assert str(outcomes["x"]) == "private/buy: no answer within 5 s"
        assert not isinstance(outcomes["x"], NotSent)
        await note(outcomes, "y", link.call, "private/buy", {}, within=0.5)
        assert "0.5 s" in str(outcomes["y"])
        for asked in await received(exchange, 2):
            await exchange.answer(asked, "late")
        await trio.sleep(0.1)
        assert list(link.waiting()) == []
        assert link.alive


# ------------------------------------------------------------------------------ what makes no sense


async def test_bad_frames_are_kept_and_the_next_is_read() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "x", link.call, "private/x", {})
        (asked,) = await received(exchange, 1)
        for text in ("no json", '{"id":null,"error":{"code":11050}}', '{"id":900,"result":1}'):
            await exchange.send_text(text)
            item = await anext(link.notifications)
            assert isinstance(item, stream.Unreadable)
            assert item.raw == text
        await exchange.websocket.send_message(b"\xff\xfe")
        assert isinstance(await anext(link.notifications), stream.Unreadable)
        await exchange.answer(asked, 1)
    assert outcomes == {"x": "1"}


async def test_a_garbled_answer_ends_its_call_with_the_raw_text() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "buy", link.call, "private/buy", {})
        (asked,) = await received(exchange, 1)
        raw = f'{{"id":{asked.id},"error":17}}'
        await exchange.send_text(raw)
        item = await anext(link.notifications)
        assert isinstance(item, stream.Unreadable)
        assert item.raw == raw
    error = outcomes["buy"]
    assert isinstance(error, Garbled)
    assert error.raw == raw


# ------------------------------------------------------------------------------- losing the socket


@pytest.mark.parametrize("how", ["cut", "close"])
async def test_every_written_call_is_lost_with_the_socket(how: str) -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange):
        async with trio.open_nursery() as nursery:
            for name in ("a", "b"):
                nursery.start_soon(note, outcomes, name, link.call, "private/buy", {"n": name})
            await received(exchange, 2)
            if how == "cut":
                await exchange.cut()
            else:
                await exchange.close(4000, "heartbeat close")
        for error in outcomes.values():
            assert isinstance(error, LinkLost)
            assert not isinstance(error, NotSent)
            assert ("heartbeat close" in str(error)) == (how == "close")
        assert not link.alive
        with pytest.raises(NotSent):
            await link.call("private/buy", {})
        assert len(exchange.methods("private/buy")) == 2


async def test_an_answer_that_came_before_the_end_still_counts() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "a", link.call, "private/buy", {})
        (asked,) = await received(exchange, 1)
        await exchange.answer(asked, 1)
        await exchange.cut()
    assert outcomes == {"a": "1"}


async def test_what_never_left_is_not_lost() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        exchange.stream.gate = trio.Event()  # the buffer is full: nothing gets through
        nursery.start_soon(note, outcomes, "half", link.call, "private/buy", {})
        await wait_all_tasks_blocked()
        nursery.start_soon(note, outcomes, "none", link.call, "private/buy", {})
        await wait_all_tasks_blocked()
        await exchange.cut()
    assert type(outcomes["half"]) is LinkLost
    assert type(outcomes["none"]) is NotSent


async def test_notifications_that_came_are_delivered_before_the_end() -> None:
    async with linked() as (link, exchange):
        await exchange.notify("user.changes.future.BTC.raw", {})
        await exchange.cut()
        await wait_all_tasks_blocked()
        assert isinstance(await anext(link.notifications), stream.Changes)
        with pytest.raises(LinkLost):
            await anext(link.notifications)


async def test_a_loss_does_not_cancel_the_body() -> None:
    async with linked() as (link, exchange):
        await exchange.cut()
        await wait_all_tasks_blocked()
        assert not link.alive
        await trio.lowlevel.checkpoint()


async def test_errors_of_the_body_come_out_as_they_are() -> None:
    async with Exchange().serving() as exchange:
        with pytest.raises(KeyError, match="mine"):
            async with exchange.link():
                raise KeyError("mine")


async def test_a_cancelled_body_closes_the_connection() -> None:
    async with Exchange().serving() as exchange:
        with trio.CancelScope() as scope:
            async with exchange.link() as link:
                scope.cancel()
                await trio.sleep_forever()
        assert not link.alive
        with pytest.raises(NotSent, match="closed by this side"):
            await link.call("public/test", {})


# --------------------------------------------------------------------------------------- guards


async def test_a_guard_that_says_no_writes_nothing() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange):
        written: list[None] = []
        exchange.stream.on_send = lambda: written.append(None)
        await note(outcomes, "buy", link.call, "private/buy", {}, guard=lambda: False)
        await wait_all_tasks_blocked()
        assert type(outcomes["buy"]) is NotSent
        assert written == []
        assert exchange.methods("private/buy") == []


async def test_a_guard_is_asked_late_not_when_the_call_is_made() -> None:
    outcomes: Outcomes = {}
    allowed = True
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        gate = exchange.stream.gate = trio.Event()
        nursery.start_soon(note, outcomes, "first", link.call, "private/x", {})
        await wait_all_tasks_blocked()
        nursery.start_soon(note, outcomes, "buy", guarded, link, lambda: allowed)
        await wait_all_tasks_blocked()
        allowed = False
        gate.set()
        await exchange.answer((await received(exchange, 1))[0], 1)
    assert outcomes["first"] == "1"
    assert type(outcomes["buy"]) is NotSent
    assert exchange.methods("private/buy") == []


async def guarded(link: Link, guard: Callable[[], bool]) -> object:
    return await link.call("private/buy", {}, guard=guard)


async def test_nothing_comes_between_the_guard_and_the_bytes() -> None:
    """Another task that runs at every turn of the loop is never seen between the two."""
    events: list[str] = []

    async def intruder() -> None:
        while True:
            events.append("intruder")
            await trio.lowlevel.checkpoint()

    def guard() -> bool:
        events.append("guard")
        return True

    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        exchange.stream.on_send = lambda: events.append("bytes")
        nursery.start_soon(intruder)
        for _ in range(20):
            nursery.start_soon(guarded, link, guard)
        for asked in await received(exchange, 20):
            await exchange.answer(asked, 1)
        nursery.cancel_scope.cancel()
    places = [at for at, event in enumerate(events) if event == "guard"]
    assert len(places) == 20
    assert {events[at + 1] for at in places} == {"bytes"}


async def test_a_call_given_up_in_the_queue_is_never_written() -> None:
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        gate = exchange.stream.gate = trio.Event()
        nursery.start_soon(note, {}, "first", link.call, "private/first", {})
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await link.call("private/buy", {})
        gate.set()
        await received(exchange, 1)
        await wait_all_tasks_blocked()
        assert exchange.methods("private/buy") == []
        nursery.cancel_scope.cancel()


# -------------------------------------------------------------------------------------- the queue


async def test_heartbeats_go_first_then_cancels() -> None:
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        gate = exchange.stream.gate = trio.Event()
        nursery.start_soon(note, {}, "1", link.call, "private/first", {})
        await wait_all_tasks_blocked()
        nursery.start_soon(note, {}, "2", link.call, "private/buy", {})
        await wait_all_tasks_blocked()
        cancel: Params = {"order_id": "1"}
        nursery.start_soon(prioritized, link, cancel)
        await exchange.send(TEST_REQUEST)
        await wait_all_tasks_blocked()
        gate.set()
        order = [asked.method for asked in await received(exchange, 4)]
        assert order == ["private/first", "public/test", "private/cancel", "private/buy"]
        nursery.cancel_scope.cancel()


async def prioritized(link: Link, params: Params) -> None:
    await link.call("private/cancel", params, priority=Priority.PROTECT)


async def test_a_full_queue_refuses_calls_and_never_heartbeats(autojump_clock: MockClock) -> None:
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        gate = exchange.stream.gate = trio.Event()
        outcomes: Outcomes = {}
        for number in range(MAX_UNWRITTEN + 1):  # one of them is being written
            nursery.start_soon(note, outcomes, str(number), link.call, "private/buy", {})
        await wait_all_tasks_blocked()
        await note(outcomes, "more", link.call, "private/buy", {})
        assert type(outcomes["more"]) is NotSent
        await exchange.send(TEST_REQUEST)
        await exchange.send(TEST_REQUEST)
        await wait_all_tasks_blocked()
        gate.set()
        await received(exchange, 1)
        assert (await received(exchange, 1))[0].method == "public/test"
        nursery.cancel_scope.cancel()


# -------------------------------------------------------------------------------- signs of life


async def test_test_requests_are_answered_at_once() -> None:
    async with linked() as (_, exchange):
        for _ in range(3):
            await exchange.send(TEST_REQUEST)
            (asked,) = await received(exchange, 1)
            assert asked.method == "public/test"
            await exchange.answer(asked, {"version": "1.2.26"})


async def test_a_silent_peer_is_dead_after_twice_the_interval(autojump_clock: MockClock) -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange):
        exchange.mute = True
        began = trio.current_time()
        await note(outcomes, "x", link.call, "private/buy", {}, within=60)
        assert trio.current_time() - began == pytest.approx(20, abs=0.01)
        assert type(outcomes["x"]) is LinkLost
        assert "nothing received for 20 s" in str(outcomes["x"])


async def test_heartbeats_keep_a_quiet_link_alive(autojump_clock: MockClock) -> None:
    async with linked() as (link, exchange):
        for _ in range(10):
            await trio.sleep(15)
            await exchange.send(HEARTBEAT)
        assert link.alive


# ------------------------------------------------------------------------------------- the inbox


async def test_an_inbox_that_overflows_ends_the_link() -> None:
    async with linked(inbox=3) as (link, exchange):
        for _ in range(3):
            await exchange.notify("user.changes.future.BTC.raw", {})
        await wait_all_tasks_blocked()
        outcomes: Outcomes = {}
        await exchange.notify("user.changes.future.BTC.raw", {})
        await wait_all_tasks_blocked()
        await note(outcomes, "after", link.call, "private/buy", {})
        assert type(outcomes["after"]) is NotSent
        assert len(list(link.waiting())) == 3
        with pytest.raises(LinkLost, match="inbox full"):
            await anext(link.notifications)


async def test_waiting_takes_what_is_there() -> None:
    async with linked() as (link, exchange):
        assert list(link.waiting()) == []
        await exchange.notify("user.changes.future.BTC.raw", {})
        await wait_all_tasks_blocked()
        assert len(list(link.waiting())) == 1
        assert list(link.waiting()) == []


# ------------------------------------------------------------------ errors that mean more than no


async def test_without_a_login_only_reads_are_repeated() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "read", link.call, "private/get_positions", {})
        nursery.start_soon(note, outcomes, "buy", link.call, "private/buy", {})
        for asked in await received(exchange, 2):
            await exchange.fail(asked, 13009, "unauthorized")
        (again,) = await received(exchange, 1)
        assert again.method == "private/get_positions"
        await exchange.answer(again, [])
    assert outcomes["read"] == "[]"
    assert isinstance(outcomes["buy"], CallFailed)
    assert len(exchange.methods("private/buy")) == 1
    assert len(exchange.methods("public/auth")) >= 2


async def test_a_read_that_stays_unauthorized_is_an_error() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        nursery.start_soon(note, outcomes, "read", link.call, "private/get_positions", {})
        for _ in range(2):
            await exchange.fail((await received(exchange, 1))[0], 13009, "unauthorized")
    assert isinstance(outcomes["read"], CallFailed)
    assert len(exchange.methods("public/auth")) == 2


async def test_too_many_requests_ends_the_session() -> None:
    outcomes: Outcomes = {}
    async with linked() as (link, exchange), trio.open_nursery() as nursery:
        for name in ("a", "b"):
            nursery.start_soon(note, outcomes, name, link.call, "private/buy", {})
        asked = (await received(exchange, 2))[0]
        await exchange.fail(asked, 10028, "too_many_requests")
    for error in outcomes.values():
        assert type(error) is LinkLost
        assert "10028 too_many_requests" in str(error)
    assert not link.alive
