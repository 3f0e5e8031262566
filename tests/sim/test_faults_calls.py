"""Lost, late, queued and refused calls: each does, on the wire and in the books, what it says."""

from typing import Any

import pytest
import trio
from exchange_kit import BTC, CHANGES, Client, World, bracket, buy
from trio.testing import MockClock

from chaos.world.faults import FAULTS
from chaos.world.faults_calls import QUEUED_MS, VERY_LATE_MS, WAYS
from chaos.world.faults_errors import ENDED, FILLED, KINDS, NOT_OURS, OPEN

PRICES = f"ticker.{BTC}.100ms"
RESTING = {"type": "limit", "price": 48_900}
PATIENCE_S = 70.0


class Outcome:
    """What became of a call: the answer, if any, when, and whether the connection was cut."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.after_s = 0.0
        self.cut = False
        self.notes_before = 0


async def outcome_of(client: Client, number: int) -> Outcome:
    """Watch a connection for longer than any fault of a call lasts."""
    outcome, begun = Outcome(), trio.current_time()
    with trio.move_on_after(PATIENCE_S):
        outcome.cut = await client.gone()
    for note in client.notes:
        if note.get("id") == number:
            outcome.answers.append(note)
        elif not outcome.answers and note.get("method") == "subscription":
            outcome.notes_before += 1
    outcome.after_s = trio.current_time() - begun
    return outcome


async def test_each_way_of_losing_an_order(autojump_clock: MockClock) -> None:
    seen = {}
    for way in WAYS:
        world = World()
        async with world.running(), world.client() as client:
            await client.call("private/subscribe", channels=[CHANGES])
            assert way in await world.strike(f"order {way}")
            number = await client.send("private/buy", **buy(10))
            outcome = await outcome_of(client, number)
            seen[way] = (int(world.size), len(outcome.answers), outcome.cut)
    assert seen == {
        "lost, cut": (0, 0, True),
        "lost in silence": (0, 0, False),
        "done, cut": (10, 0, True),
        "done in silence": (10, 0, False),
        "answered late": (10, 1, False),
        "answered very late": (10, 1, False),
        "answered after what it set off": (10, 1, False),
        "queued": (10, 1, False),
    }


async def test_what_is_lost_before_execution_never_reached_the_journal(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("order lost in silence")
        await client.send("private/buy", **buy(10))
        await trio.sleep(1)
        assert world.kinds("request") == []
        await world.quiet()
        await client.call("private/buy", **buy(10))
        assert len(world.kinds("request")) == 1


async def test_a_very_late_answer_comes_after_every_deadline(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await world.strike("order answered very late")
        begun = trio.current_time()
        answer = await client.answer(await client.send("private/buy", **buy(10)))
        assert VERY_LATE_MS[0] / 1000 <= trio.current_time() - begun <= VERY_LATE_MS[1] / 1000 + 1
        assert answer["result"]["order"]["order_state"] == "filled"
        # What it set off was told at once: the notification comes first.
        assert client.notes[0]["params"]["channel"] == CHANGES


async def test_a_notification_before_the_answer(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        number = await client.send("private/buy", **buy(10))
        assert (await client.next())["id"] == number
        assert (await client.next())["params"]["channel"] == CHANGES
        await world.strike("order answered after what it set off")
        number = await client.send("private/buy", **buy(10))
        assert (await client.next())["params"]["channel"] == CHANGES
        assert (await client.next())["id"] == number


@pytest.mark.parametrize(("valid_ms", "size"), [(0, 0), (60_000, 10)])
async def test_a_queued_order_is_executed_late_but_never_too_late(
    valid_ms: int, size: int, autojump_clock: MockClock
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await world.strike("order queued")
        until = world.exchange.now_ms + valid_ms
        answer = await client.answer(await client.send("private/buy", **buy(10, valid_until=until)))
        assert QUEUED_MS[0] * 1000 <= answer["usDiff"] <= QUEUED_MS[1] * 1000 + 200_000
        assert world.size == size
        if not size:
            assert answer["error"]["code"] == 13888
        journalled = world.kinds("request")
        assert ("error" in journalled[0]["outcome"]) is not bool(size)


async def test_a_queued_order_outlives_its_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running():
        async with world.client() as client:
            await world.strike("order queued")
            await client.send("private/buy", **buy(10))
            await trio.sleep(0.01)
        assert world.size == 0
        await trio.sleep(QUEUED_MS[1] / 1000 + 1)
        assert world.size == 10


async def test_the_engine_keeps_the_order_of_what_waits_and_only_so_much(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await world.strike("order queued")
        sent = [await client.send("private/buy", **buy(10, label=f"n{n}")) for n in range(10)]
        read = await client.send("private/get_position", instrument_name=BTC)
        first = [(await client.next()) for _ in range(3)]
        # Two are one too many for the queue; a read does not wait for the engine.
        assert [frame["id"] for frame in first] == [*sent[-2:], read]
        assert first[0]["error"]["code"] == 10047
        await client.answer(sent[7])
        labels = [row["label"] for row in world.kinds("trade")]
        assert labels == [f"n{n}" for n in range(8)]


async def test_cancelling_everything_ends_what_waits(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **buy(10, label="tb1-aa-1-e", **RESTING))
        await world.strike("order queued")
        number = await client.send("private/buy", **buy(10))
        await trio.sleep(0.01)
        assert await world.strike("owner cancels everything")
        answer = await client.answer(number)
        assert answer["error"] == {"code": 13666, "message": "request_cancelled_by_user"}
        await trio.sleep(10)
        assert world.size == 0
        assert not world.exchange.desk.live


async def test_cancels_are_lost_and_late_as_orders_are(
    autojump_clock: MockClock,
) -> None:
    for way, cancelled in (("lost in silence", False), ("done in silence", True)):
        world = World()
        async with world.running(), world.client() as client:
            order_id = (await client.call("private/buy", **buy(10, **RESTING)))["order"]["order_id"]
            await world.strike(f"cancel {way}")
            number = await client.send("private/cancel", order_id=order_id)
            outcome = await outcome_of(client, number)
            assert outcome.answers == []
            assert (order_id not in world.exchange.desk.live) is cancelled


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("name", KINDS)
async def test_each_error_is_answered_and_true(name: str, autojump_clock: MockClock) -> None:
    kind, target, codes = KINDS[name]
    world = World()
    async with world.running(), world.client() as client:
        resting = await client.call("private/buy", **buy(10, **RESTING))
        order_id = resting["order"]["order_id"]
        calls: dict[str, tuple[str, dict[str, Any]]] = {
            "order": ("private/buy", buy(10)),
            "cancel": ("private/cancel", {"order_id": order_id}),
            "read": ("private/get_position", {"instrument_name": BTC}),
            "login": ("public/auth", {"grant_type": "refresh_token"}),
            "subscription": ("private/subscribe", {"channels": [CHANGES]}),
            "session": ("public/test", {}),
        }
        assert name in await world.strike(name)
        method, params = calls[target]
        error = await client.call(method, **params)
        assert (error["code"], error["message"]) in codes
        if kind == "defer":
            await trio.sleep(5)
        order = world.exchange.desk.orders[order_id]
        done = world.size == 10 or order.state == "cancelled"
        assert done is (kind in ("deny", "defer"))
        await world.quiet()
        assert "code" not in await client.call("private/get_account_summary", currency="BTC")


async def test_codes_that_prove_nothing_are_drawn_for_both_truths() -> None:
    assert KINDS["order failed"][2] == KINDS["order failed, done"][2] == OPEN


PROTOCOL = frozenset(
    {*range(10000, 10042), *range(10043, 10051), 10066, 10072, 11008, 11013, 11021, 11022, 11029}
    | {11030, 11031, *range(11035, 11040), *range(11041, 11057), 11090, 11094, 11098}
    | {*range(13004, 13013), 13016, *range(13018, 13022), 13025, 13028, 13031, 13032}
    | {13034, 13035, 13036, 13040, 13042, 13043, 13403, 13503, 13666, 13668, 13777, 13778, 13780}
    | {13888, 13901, 13902, 13903, -32700, -32602, -32601, -32600, -32000}
)
"""The table of the protocol dossier, section 14."""


def test_every_code_of_the_protocol_is_drawn_or_none_of_ours() -> None:
    drawn = {code for _, _, codes in KINDS.values() for code, _ in codes}
    drawn |= {code for code, _ in FILLED} | {10028}
    others = [code for codes in NOT_OURS.values() for code in codes]
    assert len(others) == len(set(others))
    assert drawn.isdisjoint(others)
    assert sorted(PROTOCOL - drawn - set(others)) == []
    assert sorted((drawn | set(others)) - PROTOCOL) == [19_999], "a code from tomorrow"


@pytest.mark.parametrize("kind", ["limit", "stop"])
async def test_what_an_order_is_is_only_said_when_it_is_true(
    kind: str, autojump_clock: MockClock
) -> None:
    """Every way of saying it comes; that it was filled only of what was itself filled."""
    said = set()
    for seed in range(40):
        world = World(seed=seed)
        async with world.running(), world.client() as client:
            if kind == "limit":
                await client.call("private/buy", **buy(10, **RESTING, label="tb1-aa-1-e"))
            else:
                await client.call("private/buy", **bracket())
            orders = [o for o in world.exchange.desk.live.values() if not o.is_secondary]
            (order,) = [o for o in orders if kind == "limit" or o.is_live_stop]
            assert await world.strike("cancel of what has ended")
            answer = await client.call("private/cancel", order_id=order.order_id)
            assert order.order_id not in world.exchange.desk.live
            said.add(answer["code"])
    assert said == {code for code, _ in (FILLED if kind == "limit" else ENDED)}


@pytest.mark.parametrize(
    ("name", "size"), [("credits run out at an order", 0), ("credits run out after an order", 10)]
)
async def test_when_the_credits_run_out_the_session_ends_after_the_answer(
    name: str, size: int, autojump_clock: MockClock
) -> None:
    world = World()
    async with world.running():
        async with world.client() as client:
            await world.strike(name)
            answer = await client.answer(await client.send("private/buy", **buy(10)))
            assert answer["error"]["code"] == 10028
            assert await client.gone()
        assert world.size == size
        async with world.client() as client:
            assert (await client.call("private/get_position", instrument_name=BTC))["size"] == size


async def test_every_row_finds_something_to_do_and_ends_when_it_is_quiet(
    autojump_clock: MockClock,
) -> None:
    """With a position of ours, its bracket, and an order of the owner's in the book."""
    idle = []
    for name in FAULTS:
        world = World()
        async with world.running():
            async with world.client() as client:
                await client.call("private/subscribe", channels=[CHANGES, PRICES])
                if name != "owner opens":
                    await client.call("private/buy", **bracket())
                if name == "liquidity returns":
                    await world.strike("thin book")
                if name != "owner's resting order":
                    await world.strike("owner's resting order")
                if not await world.strike(name):
                    idle.append(name)
                await trio.sleep(0.01)
                await world.quiet()
            await trio.sleep(1)
            async with world.client() as client:
                placed = await client.call("private/buy", **buy(10))
                assert placed["order"]["order_state"] == "filled", name
                assert world.mail.forms == {}
                assert FAULTS[name].__doc__
    assert idle == []


async def test_no_more_is_armed_than_can_be_met(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        said = [await world.strike("login refused") for _ in range(200)]
        assert 0 < sum(map(bool, said)) < 100
        assert said[-1] == ""
        await world.quiet()
        assert await world.strike("read failed")
        assert "code" in await client.call("private/get_position", instrument_name=BTC)
