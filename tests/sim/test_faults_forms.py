"""Odd forms: frames that say the same in other words, come twice, or cannot be read at all."""

import json
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest
from exchange_kit import BTC, CHANGES, World, bracket, buy
from trio.testing import MockClock

from chaos.world.exchange import lane
from chaos.world.faults_dress import FORMS, OPTIONAL, dressed

ALL = tuple(FORMS)
Json = Any
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


async def samples(world: World) -> list[bytes]:
    """Frames of every kind that the daemon reads."""
    frames: list[bytes] = []
    calls: list[tuple[str, dict[str, Any]]] = [
        *(("private/get_open_orders", {}), ("private/get_positions", {})),
        ("private/get_account_summary", {"currency": "BTC", "extended": True}),
        ("private/get_order_history_by_instrument", {"instrument_name": BTC}),
        ("private/get_trigger_order_history", {"currency": "BTC"}),
        ("private/get_user_trades_by_instrument", {"instrument_name": BTC}),
        ("public/ticker", {"instrument_name": BTC}),
        ("public/get_instrument", {"instrument_name": BTC}),
        *(("public/get_time", {}), ("public/status", {})),
        ("private/cancel", {"order_id": "1"}),
        ("private/buy", {"instrument_name": BTC}),
    ]
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES, f"ticker.{BTC}.raw"])
        await client.call("private/buy", **bracket())
        await world.strike("owner's resting order")
        await world.strike("gap through the stop")
        for method, params in calls:
            frames.append(
                json.dumps(await client.answer(await client.send(method, **params))).encode()
            )
        frames += [json.dumps(note).encode() for note in client.notes]
    return [msgspec.json.encode(_decode(frame)) for frame in frames]


def differences(was: Json, now: Json, path: str = "") -> list[str]:
    """Where two decoded frames say different things; what may be missing or new is none."""
    if isinstance(was, dict) and isinstance(now, dict):
        missing = [
            f"{path}.{key} is missing"
            for key in was.keys() - now.keys()
            if key not in OPTIONAL and not (key == "label" and was[key] == "")
        ]
        new = [f"{path}.{key} is new" for key in now.keys() - was.keys() if key[:2] != "x_"]
        both = [key for key in was if key in now]
        inside = [d for key in both for d in differences(was[key], now[key], f"{path}.{key}")]
        return missing + new + inside
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [
            d
            for n, (a, b) in enumerate(zip(was, now, strict=True))
            for d in differences(a, b, f"{path}[{n}]")
        ]
    if was == now or (path.endswith(".profit_loss") and was == 0 and now is None):
        return []
    return [f"{path}: {was!r} became {now!r}"]


async def test_a_dressed_frame_says_the_same(autojump_clock: MockClock) -> None:
    frames = await samples(World())
    honest = [form for form in FORMS if form not in ("strings", "unknown states", "odd errors")]
    for seed in range(20):
        rng = Random(seed)
        for frame in frames:
            worn = dressed(frame, honest, rng)
            assert differences(_decode(frame), _decode(worn)) == []
            assert lane(worn) == lane(frame)


@pytest.mark.parametrize(
    ("form", "sign"),
    [
        ("unknown fields", b'"x_'),
        ("odd numbers", b"E+"),
        ("missing fields", b""),
        ("strings", b'"post_only":"false"'),
        ("shuffled keys", b""),
        ("odd errors", b'"a text"'),
        ("unknown states", b'"order_state":"queued"'),
    ],
)
async def test_each_form_shows(form: str, sign: bytes, autojump_clock: MockClock) -> None:
    frames = await samples(World())
    rng = Random(1)
    worn = [dressed(frame, (form,), rng) for _ in range(5) for frame in frames]
    assert worn != frames * 5
    assert any(sign in frame for frame in worn)
    assert not any(sign and sign in frame for frame in frames)


async def test_orders_are_in_unknown_states_be_they_ours_or_not(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/buy", **bracket())
        await world.strike("owner's resting order")
        await world.strike("unknown states")
        found = await client.call("private/get_open_orders")
        again = await client.call("private/get_open_orders")
        known = {order["label"]: order["order_state"] for order in found}
        assert len(known) == 3
        assert set(known.values()) <= {"speed_bumped", "queued", "new", "armed"}
        assert again == found, "an order keeps its strange state"


async def test_notifications_and_answers_come_twice(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await world.strike("notifications twice")
        await world.strike("answers twice")
        world.mail.notes_twice.left = world.mail.answers_twice.left = 1
        number = await client.send("private/buy", **buy(10))
        frames = [await client.next() for _ in range(4)]
        assert [frame.get("id") for frame in frames] == [number, number, None, None]
        assert frames[2] == frames[3]
        assert world.size == 10
        await client.send("private/buy", **buy(10))
        assert [("id" in await client.next()) for _ in range(2)] == [True, False]


async def test_orders_are_told_of_before_their_trades(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        await client.call("private/subscribe", channels=[CHANGES])
        await world.strike("orders before their trades")
        world.mail.notes_in_two.left = 1
        for halves in (True, False):
            await client.send("private/buy", **buy(10))
            frames = [await client.next() for _ in range(2 + halves)]
            told = [(bool(d["orders"]), bool(d["trades"])) for d in map(_data, frames[1:])]
            assert told == ([(True, False), (False, True)] if halves else [(True, True)])


def _data(note: Json) -> Json:
    return note["params"]["data"]


@pytest.mark.parametrize("name", ["answer spoilt", "notification spoilt"])
async def test_one_frame_is_spoilt_and_the_next_is_not(
    name: str, autojump_clock: MockClock
) -> None:
    for seed in range(6):
        world = World(seed=seed)
        async with world.running(), world.client() as client:
            await client.call("private/subscribe", channels=[CHANGES])
            await world.strike(name)
            await client.send("private/buy", **buy(10))
            frames = [await client.socket.get_message() for _ in range(2)]
            spoilt = frames[0 if name == "answer spoilt" else 1]
            assert _is_spoilt(spoilt), spoilt
            assert sum(_is_spoilt(frame) for frame in frames) == 1
            await client.call("private/buy", **buy(10))
            assert world.size == 20


def _is_spoilt(text: str | bytes) -> bool:
    try:
        return '"amount":"none"' in json.dumps(json.loads(text), separators=(",", ":"))
    except json.JSONDecodeError:
        return True
