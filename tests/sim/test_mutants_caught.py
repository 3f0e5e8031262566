"""The hunt can fail: mutants are caught, what changes nothing survives, and a survivor is named."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from chaos.mutants import MUTANTS, applied
from chaos.mutants.command import tally_of, told
from chaos.mutants.hunt import UNSEEN, Hunt, Place, control, hunt, survey
from chaos.mutants.mutant import Mutant, mutant
from chaos.mutants.patch import Patch
from chaos.report.verdict import Run, Verdict
from chaos.sim.profiles import PROFILES, world
from chaos.sim.world import play
from tradebaas.core import admission
from tradebaas.core.model import Direction


@mutant("harmless", breaks="nothing", costs="nothing", by="Same", needs="a miracle")
def harmless(patch: Patch) -> None:
    """Applies and changes nothing."""


def verdict(*hunts: Hunt) -> Verdict:
    return Verdict(run=Run("", "", "mutants", len(hunts)), tally=tally_of(list(hunts), 0))


@pytest.mark.parametrize(
    "name", ["foreign-is-ours", "protect-only-ignored", "head-first", "strange-is-ended"]
)
def test_a_mutant_is_caught_and_the_honest_daemon_is_not(name: str) -> None:
    found = hunt(MUTANTS[name])
    assert found.caught_by in MUTANTS[name].by
    assert control(found.places[-1]).findings == ()
    assert verdict(found).passed
    assert f"--mutant {name}" in verdict(found).tally.mutants[0].replay


def test_a_survey_says_in_how_many_worlds_that_nobody_chose_it_is_seen() -> None:
    found = survey(MUTANTS["foreign-is-ours"], 2)
    assert [place.seed for place in found.places] == [UNSEEN, UNSEEN + 1]
    assert found.shown == found.places
    (listed,) = verdict(found).tally.mutants
    assert (listed.shown, listed.worlds) == (2, 2)
    assert f"--seed {UNSEEN} " in listed.replay
    assert told(found).startswith(f"{found.name:22} caught,")
    assert f"2 of 2 worlds, seed {UNSEEN} of foreign" in told(found)


def test_what_changes_nothing_survives_and_the_missing_fault_is_named() -> None:
    found = hunt(replace(harmless, profile="foreign"), own=1, others=0)
    assert found.caught_by == ""
    assert found.instead == ()
    lost = replace(found, name="foreign-is-ours")
    assert "SURVIVED 1 worlds: the world lacks an owner" in told(lost)
    assert verdict(lost).failures == ["1 mutant survived: foreign-is-ours"]
    assert "an owner" in verdict(lost).tally.sections[0].rows[0][2]


def test_a_mutant_that_is_only_seen_by_another_invariant_survives() -> None:
    found = hunt(replace(MUTANTS["foreign-is-ours"], by=("Protected",)), own=1, others=0)
    assert found.caught_by == ""
    assert any("the owner's" in text for text in found.instead)


def test_a_mutant_that_breaks_the_harness_is_not_caught() -> None:
    def apply(patch: Patch) -> None:
        patch.set(Mutant, "no such thing", None)

    broken = hunt(replace(harmless, apply=apply), own=1, others=0)
    assert broken.caught_by == ""
    assert broken.instead[0].startswith("the harness broke: ")


def test_every_mutant_has_a_profile() -> None:
    assert {m.profile for m in MUTANTS.values()} <= PROFILES.keys()


def test_a_replay_with_the_mutant_shows_it_again_to_the_byte() -> None:
    place = Place("foreign", MUTANTS["foreign-is-ours"].seed)
    digests = []
    for _ in range(2):
        with applied(MUTANTS["foreign-is-ours"]):
            digests.append(play(world(place.profile, place.seed)).timeline.digest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize("allowed", ["0.05", "0.2"])
def test_a_limit_that_ignores_the_slippage_is_wider_than_any_that_is_allowed(allowed: str) -> None:
    """It was once as wide as the campaign on real processes allows, where nobody saw it."""
    tick, price = Decimal("0.5"), Decimal(50_000)

    def limit() -> Decimal:
        used = vars(admission)["worst_entry_price"]  # the name that the mutant replaces
        return Decimal(used(Direction.BUY, price, Decimal(allowed), tick))

    honest = limit()
    with applied(MUTANTS["slippage-ignored"]):
        assert limit() > honest
