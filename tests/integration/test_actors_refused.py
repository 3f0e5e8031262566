"""An exchange that refuses our entries is not asked for ever."""

from functools import partial
from pathlib import Path

import pytest

from tests.unit.actors.exchange import BRACKET
from tests.unit.actors.world import World, new_world
from tradebaas.actors.causes import REFUSED
from tradebaas.core import admission, refusals
from tradebaas.core.state import State


def refused(times: int, state: State) -> bool:
    return state.counters.orders_rejected == times and not state.pending


async def propose(world: World) -> None:
    await world.command(world.propose())


async def test_three_refused_entries_in_a_row_are_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "PAUSE_MS", 900_000)  # 3 s
    monkeypatch.setattr(admission, "MIN_VALIDITY_REAL_MS", 5_000)  # none comes too late under load
    async with new_world(tmp_path) as world:
        await world.arm(active=0)
        await world.exchange.admin.call(
            "reject", method="private/buy", count=3, code=10009, message="not_enough_funds",
            params_match=BRACKET,
        )  # fmt: skip
        for number in range(1, 4):
            assert REFUSED not in world.state.protect
            await propose(world)
            await world.until(partial(refused, number), "the refusal")
        state = await world.until(lambda s: REFUSED in s.protect, "the cause")
        assert state.protect[REFUSED] == "3 in a row, the last with 10009 not_enough_funds"
        before = world.exchange.entries()
        await propose(world)
        assert world.exchange.entries() == before
        await world.until(lambda s: REFUSED not in s.protect, "the end of the pause")
        await world.exchange.admin.call(
            "reject", method="private/buy", count=1, code=10009, message="not_enough_funds",
            params_match=BRACKET,
        )  # fmt: skip
        await propose(world)
        await world.until(lambda s: REFUSED in s.protect, "one refusal more is enough")
        assert world.state.counters.orders_rejected == 4
        await world.until(lambda s: REFUSED not in s.protect, "the end of the next pause")
        await propose(world)
        await world.covered()
        await world.agree()


@pytest.mark.parametrize("code", [13888, 10041])
async def test_a_bad_moment_is_no_refusal(tmp_path: Path, code: int) -> None:
    """The order was too late, or the books were closed: the next one may well be taken."""
    async with new_world(tmp_path) as world:
        await world.arm(active=0)
        await world.exchange.admin.call(
            "reject", method="private/buy", count=3, code=code, message="later",
            params_match=BRACKET,
        )  # fmt: skip
        for _ in range(3):
            await propose(world)
            await world.until(lambda s: not s.pending and s.signal is None, "an end of the entry")
        assert world.board.refusals.problem(0) == ""
