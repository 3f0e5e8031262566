"""How often the reconciler tries to connect to an exchange that is not there: it never gives up."""

import itertools
from dataclasses import replace

import trio
from trio.testing import MockClock

from tests.unit.actors.test_parts import context
from tradebaas.actors import reconciler

ATTEMPTS = 40
HOUR_S = 3600.0


async def test_attempts_become_seldom_up_to_a_bound_and_never_end(
    autojump_clock: MockClock,
) -> None:
    moments: list[float] = []
    drain = trio.Event()

    async def nowhere() -> str:
        """Where the exchange is, asked once in each attempt."""
        moments.append(trio.current_time())
        if len(moments) == ATTEMPTS:
            drain.set()
        return ""

    made, _ = context()
    with trio.fail_after(HOUR_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(reconciler.run, replace(made, locate=nowhere), drain)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    bound = reconciler.BACKOFF_MAX_S
    assert gaps[0] < 0.2, "what is over in a moment costs no more than that"
    assert all(bound / 2 <= gap <= bound for gap in gaps[-20:])
    assert len(set(gaps[-20:])) > 10, "many daemons must not come back in the same moment"
