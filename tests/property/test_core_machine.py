"""Any interleaving of requests, facts and faults keeps the invariants, and converges after them.

``core_walk`` has the moves and the checks. Hypothesis chooses the moves (and makes a failing walk
short); a few hundred longer walks by seed show how far they get.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.core_walk import MOVES, WEIGHTED, Walk
from tradebaas.core.events import TradeClosed
from tradebaas.core.lifecycle import TRANSITIONS
from tradebaas.core.model import Phase

WALKS = 150
STEPS = 250


@settings(max_examples=60)
@given(
    moves=st.lists(st.sampled_from(WEIGHTED), max_size=100),
    rng=st.randoms(use_true_random=False),
    meddling=st.booleans(),
)
def test_any_walk_keeps_the_invariants_and_converges(
    moves: list[str], rng: Random, meddling: bool
) -> None:
    walk = Walk(meddling)
    for name in moves:
        MOVES[name][1](walk, rng)
    walk.converge()


def test_long_walks_reach_what_the_table_of_moves_allows() -> None:
    pairs: set[tuple[Phase, Phase]] = set()
    trades = 0
    for seed in range(WALKS):
        rng = Random(seed)
        walk = Walk(meddling=seed % 3 == 0)
        for _ in range(STEPS):
            MOVES[rng.choice(WEIGHTED)][1](walk, rng)
        walk.converge()
        pairs |= walk.pairs
        trades += sum(isinstance(event, TradeClosed) for event in walk.story.events)
    assert trades > WALKS
    assert pairs <= TRANSITIONS.keys()
    assert len(pairs) >= 15
