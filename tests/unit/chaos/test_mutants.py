"""The mutants fit the present program, and leave nothing behind when they are undone."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import mutants
from chaos.mutants import FSYNC_MUTANTS, MUTANTS, REAL_MUTANTS, applied
from chaos.mutants.mutant import Mutant, mutant
from chaos.mutants.patch import Misfit, Patch
from chaos.report.verdict import INVARIANTS

Contents = dict[str, object]
ROOT = Path(__file__).parents[3]


def program() -> Contents:
    """Every attribute of every module and class of the program, by its dotted name."""
    return dict(_attributes())


def _attributes() -> Iterator[tuple[str, object]]:
    modules = [(n, m) for n, m in sys.modules.items() if n.split(".")[0] == "tradebaas"]
    for name, module in sorted(modules):
        for attribute, value in vars(module).items():
            yield f"{name}.{attribute}", value
            if isinstance(value, type) and value.__module__ == name:
                for inner, member in vars(value).items():
                    yield f"{name}.{attribute}.{inner}", member


def changed(before: Contents, after: Contents) -> list[str]:
    assert before.keys() == after.keys()
    return [name for name, value in before.items() if after[name] is not value]


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_changes_the_program_and_is_undone(name: str) -> None:
    before = program()
    with applied(MUTANTS[name]):
        assert changed(before, program())
    assert changed(before, program()) == []


def test_no_mutant_is_the_honest_program() -> None:
    before = program()
    with applied(None):
        assert changed(before, program()) == []


def test_there_are_enough_mutants_and_each_has_its_own_name() -> None:
    assert len(MUTANTS) >= 24
    assert len(mutants._ALL) == len(MUTANTS)
    assert {*REAL_MUTANTS, *FSYNC_MUTANTS} <= MUTANTS.keys()


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_pages_say_in_how_many_ways_the_daemon_is_broken(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.findall(r"in\s(\d+)\sways", text) == [str(len(MUTANTS))]


@pytest.mark.parametrize("broken", MUTANTS.values(), ids=lambda broken: broken.name)
def test_each_mutant_says_what_it_breaks_and_what_must_show_it(broken: Mutant) -> None:
    assert broken.by
    assert set(broken.by) <= set(INVARIANTS)
    assert all((broken.breaks, broken.costs, broken.needs))


def test_each_invariant_has_a_mutant_that_must_be_seen_by_it() -> None:
    assert {name for broken in MUTANTS.values() for name in broken.by} == set(INVARIANTS)


def test_a_mutant_of_an_unknown_invariant_is_refused() -> None:
    make = mutant("x", breaks="b", costs="c", by="Lucky", needs="n")
    with pytest.raises(ValueError, match="Lucky"):
        make(lambda _patch: None)


# ------------------------------------------------------------------------------------- the patch


class Program:
    """Stands for the program under a patch."""

    def greet(self, name: str) -> str:
        return f"hello {name}"

    async def later(self) -> None:
        return None


class Heir(Program):
    """Has nothing of its own."""


def test_a_patch_is_undone_also_when_something_fails() -> None:
    def greet(_self: Program, _name: str) -> str:
        return "go away"

    def fails() -> None:
        with Patch() as patch:
            patch.set(Program, "greet", greet)
            patch.set(Program, "greet", lambda _self, name: greet(_self, name) + "!")
            said.append(Program().greet("you"))
            raise ZeroDivisionError

    said: list[str] = []
    with pytest.raises(ZeroDivisionError):
        fails()
    assert [*said, Program().greet("you")] == ["go away!", "hello you"]


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        (Program, "greeting", lambda _self, _name: ""),
        (Heir, "greet", lambda _self, _name: ""),
        (Program, "greet", lambda _self: ""),
        (Program, "greet", lambda _self, _name, **_more: ""),
        (Program, "greet", "hello"),
        (Program, "later", lambda _self: None),
    ],
    ids=["gone", "inherited", "fewer arguments", "more arguments", "no function", "not async"],
)
def test_a_patch_that_no_longer_fits_says_so(target: type, name: str, value: object) -> None:
    before = dict(vars(target))
    with pytest.raises(Misfit), Patch() as patch:
        patch.set(target, name, value)
    assert dict(vars(target)) == before
