"""Whole simulated worlds: equal seeds give equal bytes, and what must not pass does not."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from msgspec.structs import replace

from chaos.mutants import MUTANTS, applied
from chaos.report.verdict import Run, Verdict
from chaos.sim import profiles, rare
from chaos.sim.command import sim_command
from chaos.sim.kernel import ROOT
from chaos.sim.liveness import STOP_BACK
from chaos.sim.reaper import KINDS
from chaos.sim.swarm import CRASH_LOOP, IN_TURN, LOST_LONG_AGO, SIGNAL_WAITS, draw
from chaos.sim.tally import STRIKING, must_strike, tally_of
from chaos.sim.world import Outcome, play
from chaos.world.court import LEDGERS
from chaos.world.faults import FAULTS, GROUP_OF, Scene
from chaos.world.faults_dress import UNKNOWN_STATES
from tradebaas.core.events import DiscrepancyResolved, OrderUpdated, PositionCorrected
from tradebaas.errors import BudgetSpent, Fatal, StoreFault
from tradebaas.lives import Lives
from tradebaas.paper.readings import CHOICES, Readings

SCRIPT = (
    "from chaos.sim.swarm import draw; from chaos.sim.world import play;"
    "print(play(draw({seed}, {deaths})).timeline.digest())"
)


NEEDY = ("owner opens", "owner cancels the owner's order", "liquidity returns", "edit failed, done",
         "cancel failed, queued", "odd errors", "no stop is taken")  # fmt: skip
DRILL_SHOWS = {
    CRASH_LOOP: "crash loop: a life without the strategy",
    SIGNAL_WAITS: "death in SIGNAL_DETECTED",
    LOST_LONG_AGO: rare.TWO_LOOKS,
}


def _seeds_of(name: str) -> list[int]:
    """The worlds in which it is the turn of a fault."""
    return [seed for seed in range(3, 103) if name in draw(seed, 0).certain]


def told(outcome: Outcome) -> str:
    return "\n".join(f"{v.check}: {v.text}" for v in outcome.violations)


def test_half_of_the_worlds_take_what_nobody_knows_in_another_way() -> None:
    drawn = [draw(seed, 1).readings for seed in range(400)]
    assert 150 < drawn.count(Readings()) < 250
    for name, values in CHOICES.items():
        assert {getattr(readings, name) for readings in drawn} == set(values)
    narrowed = {profiles.world("deaths", seed).readings for seed in range(20)}
    assert narrowed == {Readings()}


def test_equal_seeds_give_equal_journals_in_any_process_and_directory(tmp_path: Path) -> None:
    here = play(draw(7, 1)).timeline.digest()
    for hash_seed, folder in (("1", ROOT), ("2", tmp_path)):
        path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        there = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(seed=7, deaths=1)],
            cwd=folder, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert there.stdout.strip() == here


def test_other_seeds_give_other_journals() -> None:
    assert play(draw(7, 2)).timeline.digest() != play(draw(8, 2)).timeline.digest()


@pytest.mark.parametrize("error", [StoreFault, BudgetSpent])
def test_a_process_that_ends_without_cause_is_found(
    error: type[Fatal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though faults of the disk are armed, and the crew may die too often in this world."""
    honest = Lives.run

    async def run(self: Lives) -> None:
        with trio.move_on_after(3.0):
            await honest(self)
            return
        raise error("nothing has happened")

    monkeypatch.setattr(Lives, "run", run)
    swarm = replace(
        draw(11, 0), faults_s=5.0, quiet_s=1.0, patient=False, deeds=("read fails",),
        rates={"disk": 2.0}, certain=(),
    )  # fmt: skip
    outcome = play(swarm)
    assert outcome.faults["disk: read fails"]
    code = error.exit_code
    assert f"process 1 ended with {code}: nothing has happened" in told(outcome)


def test_an_entry_that_no_stop_follows_is_found_when_all_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The owner takes each stop away before anybody has seen it, and the daemon sends no other."""
    honest = FAULTS["owner cancels our stop"]

    def unseen(scene: Scene) -> str:
        honest(scene)
        return ""

    monkeypatch.setitem(FAULTS, "owner cancels our stop", unseen)
    with applied(MUTANTS["forget-stop"]):
        outcome = play(replace(profiles.world("deaths", 1), deaths=0, faults_s=2.0))
    assert re.search(r"no stop [\d.]+ s after its entry had filled", told(outcome))


def test_a_stop_that_is_taken_away_in_the_quiet_comes_back() -> None:
    outcome = play(replace(profiles.world("deaths", 1), deaths=0, faults_s=2.0))
    assert outcome.passed, told(outcome)
    assert rare.visited(outcome)[STOP_BACK] == 1


def test_an_order_of_ours_in_a_state_that_nobody_knows_is_unknown_and_never_absent() -> None:
    outcome = play(profiles.world("strange", 2))
    assert outcome.passed, told(outcome)
    updates = [e.order for e in outcome.story.events.values() if isinstance(e, OrderUpdated)]
    strange = {order.state for order in updates} & {s for t in UNKNOWN_STATES.values() for s in t}
    assert {"new", "done", "expired"} <= strange
    assert all(order.live for order in updates if order.state in strange)


@pytest.mark.parametrize("seed", [1, 3])
def test_fills_that_are_told_late_make_whole_trades(seed: int) -> None:
    """A read finds the position gone and no trade yet; the trade was once told wrong for ever."""
    outcome = play(profiles.world("news", seed))
    assert outcome.passed, told(outcome)
    assert min(outcome.faults[f"network: late news of {what}"] for what in ("a fill", "an entry"))
    events = outcome.story.events.values()
    corrected = [event for event in events if isinstance(event, PositionCorrected)]
    assert corrected
    assert all(event.awaits for event in corrected)
    assert any(isinstance(event, DiscrepancyResolved) for event in events)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_life_that_dies_while_it_opens_the_store_leaves_it_to_the_next(seed: int) -> None:
    """An open log that was lost on its way to the life kept the store locked."""
    swarm = replace(
        draw(seed, 60), traps=("step",), kills=("exception in an actor",), soon=0.01,
        patient=True, rates={}, flips=0.0, old_store=False,
    )  # fmt: skip
    outcome = play(swarm)
    assert outcome.passed, told(outcome)
    assert len(outcome.deaths) == 60


@pytest.mark.parametrize("seed", [90101, 90103])
def test_a_life_dies_once_however_much_strikes_it(seed: int) -> None:
    """Whatever struck a life that was dying already once counted as a death of its own."""
    outcome = play(replace(profiles.world("rush", seed), deaths=80))
    assert outcome.passed, told(outcome)
    actors = [death for death in outcome.deaths if KINDS[death.deed] == "actor"]
    lost = [line for line in outcome.timeline.lines if "  life died " in line]
    died = sum("Injected" in line or "Killed" in line for line in lost)
    assert len(actors) > 10
    assert died - len(actors) in (0, 1), "the last one is of a drill in the quiet, at most"
    assert len(outcome.deaths) == 80


def test_what_is_armed_and_never_strikes_is_not_counted() -> None:
    """Nothing has to be cancelled in this world."""
    swarm = replace(
        profiles.world("calls", 3), deeds=("cancel lost, cut", "order lost, cut"),
        rates={"calls": 3.0},
    )  # fmt: skip
    outcome = play(swarm)
    assert sum("cancel lost, cut: the next" in line for line in outcome.timeline.lines) > 3
    assert outcome.faults["calls: cancel lost, cut"] == 0
    assert outcome.faults["calls: order lost, cut"] > 3


def test_in_its_turn_each_of_the_exchanges_faults_is_certain() -> None:
    drawn = [draw(seed, 6) for seed in range(7, 207)]
    turns = Counter(name for swarm in drawn for name in swarm.certain)
    assert set(turns) == set(IN_TURN)
    assert min(turns.values()) >= 6
    assert not any(swarm.certain or swarm.drills for swarm in drawn if swarm.waits_for_days)
    assert profiles.world("crew", 7).certain == ()


NOTHING_ELSE = {"faults_s": 0.1, "rates": {}}


@pytest.mark.parametrize("seed", sorted({min(_seeds_of(name)) for name in NEEDY}))
def test_a_fault_whose_turn_it_is_strikes_without_any_chance(seed: int) -> None:
    """So does one that works on what is not there by itself."""
    outcome = play(replace(draw(seed, 0), **NOTHING_ELSE))
    assert outcome.passed, told(outcome)
    missed = [n for n in outcome.swarm.certain if not outcome.faults[f"{GROUP_OF[n]}: {n}"]]
    assert missed == []


@pytest.mark.parametrize("seed", [s for s in range(1, 50, 2) if draw(s, 0).drills])
def test_a_drill_brings_its_situation_about(seed: int) -> None:
    """A crash loop within three deaths, the first of which ends a life that was healthy."""
    outcome = play(replace(draw(seed, 0), **NOTHING_ELSE))
    assert outcome.passed, told(outcome)
    (drill,) = outcome.swarm.drills
    assert rare.visited(outcome)[DRILL_SHOWS[drill]] == 1
    tries = sum(f"drill: {drill}" in line for line in outcome.timeline.lines)
    assert tries <= (3 if drill == CRASH_LOOP else 1)


def test_a_batch_of_a_hundred_drills_each_a_dozen_times_and_a_narrowed_world_never() -> None:
    drills = Counter(name for seed in range(1, 101) for name in draw(seed, 6).drills)
    assert drills.keys() == DRILL_SHOWS.keys()
    assert min(drills.values()) >= 9
    assert profiles.world("crew", 1).drills == profiles.world(profiles.RUSH, 1).drills == ()


def test_the_first_start_over_an_old_store_dies_in_its_migration() -> None:
    seeds = [seed for seed in range(1, 101) if draw(seed, 1).old_store]
    assert len(seeds) > 8
    for seed in seeds[:3]:
        outcome = play(replace(draw(seed, 1), certain=(), drills=(), rates={}))
        assert outcome.passed, told(outcome)
        assert rare.visited(outcome)["death inside a migration"] == 1


def test_an_intent_behind_a_slow_reader_is_never_sent() -> None:
    drawn = profiles.world("deaths", 1)
    outcome = play(replace(drawn, rates={"unsent": 3.0}, deeds=(), deaths=0, faults_s=40.0))
    assert outcome.passed, told(outcome)
    assert rare.visited(outcome)["intent that was never sent"] > 3


def test_a_position_is_closed_when_no_stop_is_taken() -> None:
    outcome = play(profiles.world("no stops", 1))
    assert outcome.passed, told(outcome)
    assert rare.visited(outcome)[rare.NO_STOP_CAME] >= 2


def test_a_world_is_tallied() -> None:
    outcome = play(replace(draw(11, 3), drills=()))
    tally = tally_of(outcome, rare.SITUATIONS, STRIKING)
    assert outcome.passed, told(outcome)
    assert tally.died == len(outcome.deaths) == 3
    assert set(tally.rare) == set(rare.SITUATIONS)
    assert set(tally.faults) == {*STRIKING}
    assert "calls: login lost, cut" in tally_of(outcome, striking=STRIKING).unstruck
    assert all(tally_of(outcome).faults.values())
    assert all(visits.wanted == 1 for visits in tally.rare.values())
    assert tally.exchange_ms / tally.virtual_ms == pytest.approx(outcome.swarm.rate, rel=0.05)
    entries = [request for request in outcome.books.requests if request.is_entry]
    counted = {
        "Once": len(outcome.books.requests),
        "Bounded": 2 * len(entries) + len(outcome.books.rests.after(0)),
        "Gated": len(entries),
        "Protected": len(outcome.books.our_spans) + len(outcome.books.open_spans),
    }  # fmt: skip
    assert counted.items() <= tally.checked.items()
    assert all(tally.checked.values())


def test_an_invariant_that_was_held_against_nothing_fails_the_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = tuple(check for check in LEDGERS if check.invariant != "bounded")
    monkeypatch.setattr("chaos.sim.judge.LEDGERS", others)
    tally = tally_of(play(replace(draw(11, 0), faults_s=3.0)))
    assert Verdict(Run("t", "c", "seeds", 1), tally).failures == [
        "1 invariant never checked: Bounded"
    ]


def test_what_a_large_batch_must_have_visited() -> None:
    assert (
        rare.wanted(None, 99) == rare.wanted("crew", 1000) == rare.wanted(profiles.RUSH, 63) == ()
    )
    assert set(rare.wanted(None, 100)) == set(rare.SITUATIONS)
    assert must_strike(None, 199) == must_strike(profiles.RUSH, 1000) == ()
    assert must_strike(None, 200) == STRIKING
    rushed = rare.wanted(profiles.RUSH, 64)
    assert set(rushed) < set(rare.SITUATIONS)
    outcome = play(replace(profiles.world(profiles.RUSH, 90001), deaths=5))
    rows = tally_of(outcome, rushed).rare
    assert {name for name, visits in rows.items() if visits.wanted} == set(rushed)


def test_deaths_beside_a_profile_are_refused() -> None:
    asked = CliRunner().invoke(sim_command, ["--seed", "1", "--profile", "crew", "--deaths", "3"])
    assert asked.exit_code == 2
    assert "leave --deaths out" in asked.output
