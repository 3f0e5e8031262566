"""The mailboxes: order, bounds, and what happens to askers when the answerer goes away."""

import pytest
import trio
import trio.testing

from tradebaas.runtime.mailbox import (
    Asker,
    Asks,
    AskTimeout,
    Door,
    Fanout,
    Latest,
    LifeEnded,
    Reply,
    open_asks,
)

Ends = tuple[Asker[int, str], Asks[int, str]]


async def answer_all(asks: Asks[int, str]) -> None:
    """An answerer: turns each number into text, three at a time, until the asker is closed."""
    with asks:
        while True:
            try:
                batch = await asks.receive_batch(3)
            except trio.EndOfChannel:
                return
            for ask in batch:
                ask.reply.answer(str(ask.request))


async def test_reply_hands_one_answer_over_even_none() -> None:
    reply: Reply[None] = Reply()
    reply.answer(None)
    assert await reply.wait() is None  # type: ignore[func-returns-value]
    with pytest.raises(RuntimeError, match="answered twice"):
        reply.answer(None)


async def test_reply_abandoned_ends_the_wait_but_not_an_answer_already_given() -> None:
    reply: Reply[int] = Reply()
    reply.abandon()
    with pytest.raises(LifeEnded):
        await reply.wait()
    given: Reply[int] = Reply()
    given.answer(1)
    given.abandon()
    assert await given.wait() == 1


async def test_ask_is_answered(nursery: trio.Nursery) -> None:
    ends: Ends = open_asks(2)
    asker, asks = ends
    nursery.start_soon(answer_all, asks)
    assert await asker.ask(7) == "7"


async def test_asks_come_in_order_and_in_batches() -> None:
    ends: Ends = open_asks(10)
    asker, asks = ends
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(asker.ask, number)
            await trio.testing.wait_all_tasks_blocked()
        first = await asks.receive_batch(3)
        second = await asks.receive_batch(3)
        assert [ask.request for ask in first + second] == list(range(5))
        assert (len(first), len(second)) == (3, 2)
        nursery.cancel_scope.cancel()


async def test_asking_waits_at_the_bound_and_a_cancelled_waiter_leaves_no_request() -> None:
    ends: Ends = open_asks(2)
    asker, asks = ends
    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(asker.ask, number)
            await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(0.01) as scope:
            await asker.ask(99)
        assert scope.cancelled_caught
        assert asker.depth == 2
        nursery.start_soon(asker.ask, 2)
        await trio.testing.wait_all_tasks_blocked()
        assert asker.depth == 3
        assert [ask.request for ask in await asks.receive_batch(10)] == [0, 1, 2]
        nursery.cancel_scope.cancel()


async def test_closing_the_asker_lets_the_answerer_finish_the_queue() -> None:
    ends: Ends = open_asks(4)
    asker, asks = ends
    answers: list[str] = []

    async def ask(number: int) -> None:
        answers.append(await asker.ask(number))

    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        asker.close()
        with pytest.raises(LifeEnded):
            await asker.ask(9)
        await answer_all(asks)
    assert sorted(answers) == ["0", "1", "2", "3"]


async def test_closing_the_answerer_fails_queued_waiting_and_later_asks() -> None:
    ends: Ends = open_asks(1)
    asker, asks = ends
    ended: list[int] = []

    async def ask(number: int) -> None:
        with pytest.raises(LifeEnded):
            await asker.ask(number)
        ended.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):  # one queued, two waiting for room
            nursery.start_soon(ask, number)
        await trio.testing.wait_all_tasks_blocked()
        with asks:
            pass
    await ask(3)
    assert sorted(ended) == [0, 1, 2, 3]


async def test_the_answerers_own_exception_is_kept_under_a_pending_cancel() -> None:
    ends: Ends = open_asks(1)
    asks = ends[1]

    async def answerer(scope: trio.CancelScope) -> None:
        with asks:
            scope.cancel()
            raise KeyError("bug")

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyError, match="bug"):
            await answerer(nursery.cancel_scope)


async def test_door_is_closed_without_a_life() -> None:
    door: Door[int, str] = Door()
    assert not door.is_open
    with pytest.raises(LifeEnded, match="no life is up"):
        await door.ask(1, within=5)


async def test_door_asks_the_life_that_is_up(nursery: trio.Nursery) -> None:
    door: Door[int, str] = Door()
    ends: Ends = open_asks(4)
    nursery.start_soon(answer_all, ends[1])
    with door.opened(ends[0]):
        assert door.is_open
        assert await door.ask(5, within=5) == "5"
        with pytest.raises(RuntimeError, match="already held open"), door.opened(ends[0]):
            pass
        assert await door.ask(6, within=5) == "6"


async def test_door_gives_up_at_the_deadline(autojump_clock: trio.testing.MockClock) -> None:
    door: Door[int, str] = Door()
    ends: Ends = open_asks(4)
    with door.opened(ends[0]):
        start = trio.current_time()
        with pytest.raises(AskTimeout, match="int within 5 s"):
            await door.ask(1, within=5)
        assert trio.current_time() - start == pytest.approx(5)


async def test_door_fails_asks_under_way_when_the_life_ends() -> None:
    door: Door[int, str] = Door()
    ended: list[int] = []

    async def ask(number: int) -> None:
        with pytest.raises(LifeEnded):
            await door.ask(number, within=1e6)
        ended.append(number)

    ends: Ends = open_asks(1)
    async with trio.open_nursery() as nursery:

        async def life() -> None:
            with door.opened(ends[0]):
                for number in range(3):
                    nursery.start_soon(ask, number)
                await trio.testing.wait_all_tasks_blocked()
                raise KeyError("the life dies")

        with pytest.raises(KeyError):
            await life()
    assert sorted(ended) == [0, 1, 2]
    assert not door.is_open


async def test_door_opens_again_for_the_next_life(nursery: trio.Nursery) -> None:
    door: Door[int, str] = Door()
    for _ in range(2):
        ends: Ends = open_asks(4)
        nursery.start_soon(answer_all, ends[1])
        with door.opened(ends[0]):
            assert await door.ask(1, within=5) == "1"


async def test_door_keeps_an_answer_that_came_as_the_life_ended() -> None:
    door: Door[int, str] = Door()
    ends: Ends = open_asks(1)
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await door.ask(1, within=5))

    async with trio.open_nursery() as nursery:
        with door.opened(ends[0]):
            nursery.start_soon(ask)
            (taken,) = await ends[1].receive_batch(1)
            await trio.testing.wait_all_tasks_blocked()
            taken.reply.answer("done")
    assert answers == ["done"]


async def test_latest_starts_empty_and_overwrites() -> None:
    latest: Latest[int] = Latest()
    assert (latest.value, latest.version) == (None, 0)
    latest.set(1)
    latest.set(2)
    assert (latest.value, latest.version) == (2, 2)
    assert await latest.wait_newer(0) == (2, 2)


async def test_latest_with_an_initial_value_counts_it() -> None:
    latest: Latest[str] = Latest("first")
    assert (latest.value, latest.version) == ("first", 1)
    assert await latest.wait_newer(0) == ("first", 1)


async def test_latest_wakes_every_waiter_and_skips_what_was_overwritten() -> None:
    latest: Latest[int] = Latest(0)
    seen: list[tuple[int, int]] = []

    async def read() -> None:
        seen.append(await latest.wait_newer(1))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert seen == []
        latest.set(1)
        latest.set(2)
    assert seen == [(2, 3)] * 3


async def test_latest_waits_for_a_version_that_is_not_there_yet() -> None:
    latest: Latest[int] = Latest(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(latest.wait_newer, 3)
        await trio.testing.wait_all_tasks_blocked()
        latest.set(1)
        latest.set(2)
        await trio.testing.wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
        latest.set(3)


async def test_fanout_gives_each_reader_everything_in_order() -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(5) as one, fanout.subscribe(5) as two:
        assert fanout.readers == 2
        for number in range(5):
            fanout.publish(number)
        assert [await one.receive() for _ in range(5)] == list(range(5))
        assert [await two.receive() for _ in range(5)] == list(range(5))
    assert fanout.readers == 0
    assert fanout.dropped == 0


async def test_fanout_drops_and_counts_for_the_slow_reader_only() -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(2) as slow, fanout.subscribe(9) as quick:
        for number in range(5):
            fanout.publish(number)
        assert (slow.dropped, quick.dropped, fanout.dropped) == (3, 0, 3)
        assert [await slow.receive(), await slow.receive()] == [0, 1]
        fanout.publish(5)
        assert await slow.receive() == 5
    assert fanout.dropped == 3


async def test_fanout_ends_the_feed_when_the_block_is_left() -> None:
    fanout: Fanout[int] = Fanout()
    with fanout.subscribe(5) as reader:
        fanout.publish(1)
    fanout.publish(2)
    assert [value async for value in reader] == [1]
    with pytest.raises(trio.EndOfChannel):
        await reader.receive()
