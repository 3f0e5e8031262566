"""What befalls an entry alone: prices that fall silent, and an entry that has to rest."""

from typing import Any

from exchange_kit import BTC, CHANGES, World, bracket
from trio.testing import MockClock

TICKER = f"ticker.{BTC}.100ms"


def limited(client_says: str, **more: Any) -> dict[str, Any]:
    return bracket(**{"type": "limit", "price": 49_100, "time_in_force": client_says, **more})


async def test_only_the_prices_fall_silent(autojump_clock: MockClock) -> None:
    world = World()
    async with world.running(), world.client() as client:
        assert await world.strike("prices fall silent") == ""
        await client.call("private/subscribe", channels=[CHANGES, TICKER])
        assert TICKER in await world.strike("prices fall silent")
        (session,) = [s for s in world.exchange.sessions.values() if not s.admin]
        assert list(session.channels) == [CHANGES]


async def test_an_entry_is_refused_for_its_time_in_force_and_the_next_one_left_behind(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.running(), world.client() as client:
        assert await world.strike("entry has to rest")
        refused = await client.call("private/buy", **limited("immediate_or_cancel"))
        assert refused["code"] == 11047
        assert world.struck == []
        made = await client.call("private/buy", **limited("good_til_cancelled"))
        assert (made["order"]["order_state"], made["order"]["filled_amount"]) == ("open", 0)
        assert world.exchange.tape.price > 49_100
        assert world.struck == ["entry has to rest"]
        again = await client.call("private/buy", **limited("immediate_or_cancel", price=49_300))
        assert again["order"]["order_state"] == "filled", "one was refused"
        again = await client.call("private/buy", **limited("good_til_cancelled", price=49_300))
        assert again["order"]["order_state"] == "filled", "one was left behind"
