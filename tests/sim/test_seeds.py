"""``seeds.toml``: what the harness once found stays found, and each bug has a test of its own."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chaos.enumerate.scenarios import SCENARIOS
from chaos.real.faults import FAULTS
from chaos.real.profile import load
from chaos.sim import profiles
from chaos.sim.swarm import Swarm, draw
from chaos.sim.world import play

ROOT = Path(__file__).parents[2]


class Bug(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="by"):
    """One line about it, and the tests that hold it."""

    found: str
    also: list[str]


class Sim(Bug, tag="sim"):
    """A world of ``profile``, or without one the general world with so many deaths."""

    seed: int
    deaths: int | None = None
    profile: str | None = None

    def __post_init__(self) -> None:
        if (self.deaths is None) is (self.profile is None):
            raise ValueError("a world has either deaths or a profile")

    def world(self) -> Swarm:
        if self.profile is not None:
            return profiles.world(self.profile, self.seed)
        assert self.deaths is not None
        return draw(self.seed, self.deaths)


class Batch(Bug, tag="batch"):
    pass


class Enumerated(Bug, tag="enumerate"):
    scenario: str


class Real(Bug, tag="real"):
    profile: str


class Walk(Bug, tag="walk"):
    pass


class Fuzz(Bug, tag="fuzz"):
    pass


Kind = Sim | Batch | Enumerated | Real | Walk | Fuzz


def read(text: str) -> list[Kind]:
    """The bugs of such a file."""
    return msgspec.convert(tomllib.loads(text), dict[str, list[Kind]])["bug"]


BUGS = read(Path(__file__).with_name("seeds.toml").read_text(encoding="utf-8"))


def missing(bug: Kind) -> Iterator[str]:
    """What the entry names and is not there."""
    for named in bug.also:
        file, _, test = named.partition("::")
        path = ROOT / file
        tests = _tests(path) if path.is_file() else set()
        if not tests or (test and test not in tests):
            yield named
    if not bug.also:
        yield "a test of its own"
    if isinstance(bug, Enumerated) and bug.scenario not in SCENARIOS:
        yield bug.scenario


def _tests(path: Path) -> set[str]:
    defined = ast.parse(path.read_text(encoding="utf-8")).body
    found = {n.name for n in defined if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in found if name.startswith("test_")}


@pytest.mark.parametrize(
    "bug",
    [bug for bug in BUGS if isinstance(bug, Sim)],
    ids=lambda bug: f"seed {bug.seed}" + (f" of {bug.profile}" if bug.profile else ""),
)
def test_a_seed_that_once_failed_passes(bug: Sim) -> None:
    outcome = play(bug.world())
    found = "\n".join(f"{v.check}: {v.text}" for v in outcome.violations)
    assert outcome.passed, f"{bug.found}\n{found}"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.found)
def test_each_bug_has_a_test_of_its_own(bug: Kind) -> None:
    assert list(missing(bug)) == []
    assert len(bug.found.splitlines()) == 1


def test_each_way_of_finding_a_bug_has_found_one() -> None:
    assert {type(bug) for bug in BUGS} == {Sim, Batch, Enumerated, Real, Walk, Fuzz}
    assert all(load(bug.profile, FAULTS).faults for bug in BUGS if isinstance(bug, Real))


@pytest.mark.parametrize(
    "also, lacks",
    [
        ([], ["a test of its own"]),
        (["tests/sim/test_none.py"], ["tests/sim/test_none.py"]),
        (["tests/sim/exchange_kit.py"], ["tests/sim/exchange_kit.py"]),
        (["tests/sim/test_seeds.py::test_none"], ["tests/sim/test_seeds.py::test_none"]),
        (["tests/sim/test_seeds.py::read"], ["tests/sim/test_seeds.py::read"]),
        (["tests/sim/test_seeds.py"], []),
    ],
)
def test_a_test_that_is_not_there_is_found(also: list[str], lacks: list[str]) -> None:
    assert list(missing(Walk(found="x", also=also))) == lacks


def test_a_seed_is_played_in_its_profile() -> None:
    (bug,) = read('[[bug]]\nby = "sim"\nfound = "x"\nalso = []\nseed = 3\nprofile = "rush"')
    assert isinstance(bug, Sim)
    assert bug.world() == profiles.world("rush", 3)
    assert bug.world() != draw(3, profiles.DEATHS)


@pytest.mark.parametrize(
    "entry",
    [
        'by = "luck"\nfound = "x"\nalso = []',
        'by = "sim"\nfound = "x"\nalso = []\nseed = 1',
        'by = "sim"\nfound = "x"\nalso = []\nseed = 1\ndeaths = 2\nprofile = "rush"',
        'by = "walk"\nfound = "x"\nalso = []\nseed = 1',
        'by = "real"\nfound = "x"\nalso = []',
    ],
    ids=["unknown way", "half a world", "two worlds", "too much", "no profile"],
)
def test_an_entry_of_another_form_is_refused(entry: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(f"[[bug]]\n{entry}")
