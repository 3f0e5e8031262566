"""Strategies by name: built in, from an installed package, from a file, and what goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tradebaas.core.model import Assignment
from tradebaas.strategies import registry
from tradebaas.strategies.ma_cross import MovingAverageCross
from tradebaas.strategies.protocol import Bound, Strategy, bind
from tradebaas.strategies.registry import UnknownStrategy

STRATEGY = """
from __future__ import annotations
from dataclasses import dataclass
from tradebaas.strategies.protocol import Analysis, Parameter

@dataclass(frozen=True)
class Never:
    name: str = "never"
    summary: str = "Never trades"
    parameters: tuple[Parameter, ...] = ()

    def check(self, values): return ""
    def warm_up(self, values): return WARM_UP
    def evaluate(self, candles, position, values):
        return Analysis(proposal=None, indicators={}, reasons=("never",))

class Half:
    name = "half"
    parameters = ()
    def evaluate(self): ...

class Loose(Never):
    def __init__(self): object.__setattr__(self, "parameters", ["fast"])

class Failing:
    def __init__(self): raise ValueError("no licence")

WARM_UP = 7
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(STRATEGY)
    return path


def found(name: str) -> Strategy:
    strategy = registry.get(name)
    assert not isinstance(strategy, UnknownStrategy), strategy.reason
    return strategy


def refused(name: str) -> UnknownStrategy:
    strategy = registry.get(name)
    assert isinstance(strategy, UnknownStrategy)
    assert strategy.name == name
    return strategy


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, package: str, points: str) -> None:
    """Make ``directory`` look like the place where a package was installed."""
    info = directory / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tradebaas.strategies]\n{points}\n")
    monkeypatch.syspath_prepend(directory)


def test_the_built_in_strategy_has_a_name_and_binds_with_its_defaults() -> None:
    strategy = found("ma_cross")
    assert isinstance(strategy, MovingAverageCross)
    assert strategy.name == "ma_cross"
    assert strategy.summary
    assignment = Assignment(strategy="ma_cross", parameters={}, instrument="X", timeframe="1m")
    assert isinstance(bind(strategy, assignment), Bound)
    assert "ma_cross" in registry.names()


def test_every_built_in_carries_the_name_it_is_found_by() -> None:
    for name in registry.BUILT_IN:
        assert found(name).name == name


def test_an_unknown_name_says_the_nearest_and_the_way_to_a_file() -> None:
    unknown = refused("ma_kross")
    assert unknown.nearest == "ma_cross"
    assert "did you mean 'ma_cross'?" in unknown.reason
    assert "path/to/file.py:ClassName" in unknown.reason
    assert refused("zzzzz").nearest == ""


def test_a_file_is_loaded_by_path_and_class(plugin: Path) -> None:
    strategy = found(f"{plugin}:Never")
    assert strategy.name == "never"
    assert strategy.evaluate((), None, {}).reasons == ("never",)


def test_a_relative_path_counts_from_the_working_directory(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plugin.parent)
    assert found("mine.py:Never").name == "never"


def test_a_changed_file_is_read_anew_even_with_an_unchanged_size_and_time(plugin: Path) -> None:
    assert found(f"{plugin}:Never").warm_up({}) == 7
    before = plugin.stat()
    plugin.write_text(STRATEGY.replace("WARM_UP = 7", "WARM_UP = 8"))
    os.utime(plugin, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert found(f"{plugin}:Never").warm_up({}) == 8


@pytest.mark.parametrize(
    "attribute, words",
    [
        ("Nevr", "has no class 'Nevr'; did you mean 'Never'? known: Failing, Half, Loose, Never"),
        ("WARM_UP", "has no class 'WARM_UP'"),
        ("", "has no class ''"),
        ("Half", "Half is no strategy: it lacks summary, check, warm_up"),
        ("Loose", "Loose.parameters is not a tuple of Parameter"),
        ("Failing", "Failing() failed: ValueError: no licence"),
    ],
)
def test_a_class_that_is_no_strategy_is_refused(plugin: Path, attribute: str, words: str) -> None:
    assert words in refused(f"{plugin}:{attribute}").reason


@pytest.mark.parametrize(
    "source, words",
    [
        (b"def broken(:\n", "does not load: SyntaxError"),
        (b"import no_such_module_here\n", "does not load: ModuleNotFoundError"),
        (b"1 / 0\n", "does not load: ZeroDivisionError"),
        (b"{}['x']\n", "does not load: KeyError"),
        (b"undefined_name\n", "does not load: NameError"),
        (b"\xff\xfe\x00", "does not load: "),
    ],
)
def test_a_file_that_does_not_run_is_refused(tmp_path: Path, source: bytes, words: str) -> None:
    path = tmp_path / "broken.py"
    path.write_bytes(source)
    assert f"{path} {words}" in refused(f"{path}:Never").reason


def test_a_missing_file_or_directory_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.py"
    assert refused(f"{missing}:Never").reason == f"there is no strategy file {missing}"
    (tmp_path / "folder.py").mkdir()
    assert "no strategy file" in refused(f"{tmp_path / 'folder.py'}:Never").reason


def test_an_installed_package_offers_strategies(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "never = mine:Never\nhalf = mine:Half\ngone = mine:Gone\nconstant = mine:WARM_UP"
    install(plugin.parent, monkeypatch, "mine", points)
    assert {"never", "half", "ma_cross"} <= set(registry.names())
    assert found("never").name == "never"
    assert "it lacks summary" in refused("half").reason
    assert "entry point mine:Gone does not load: AttributeError" in refused("gone").reason
    assert "entry point mine:WARM_UP is not a class" in refused("constant").reason
    assert refused("nevr").nearest == "never"


def test_a_name_offered_twice_is_refused_and_a_built_in_cannot_be_replaced(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = "never = mine:Never\nma_cross = mine:Never"
    install(plugin.parent, monkeypatch, "mine", points)
    install(tmp_path / "other", monkeypatch, "theirs", "never = other:Never")
    assert "ambiguous: mine:Never and other:Never" in refused("never").reason
    assert isinstance(found("ma_cross"), MovingAverageCross)


def test_finding_and_binding_a_strategy_loads_no_numpy() -> None:
    """The time from start to trading counts: numpy and TA-Lib wait for the first evaluation."""
    code = (
        "import sys\n"
        "from tradebaas.core.model import Assignment\n"
        "from tradebaas.strategies import protocol, registry, signals\n"
        "made = registry.get('ma_cross')\n"
        "asked = Assignment(strategy='ma_cross', parameters={}, instrument='X', timeframe='1m')\n"
        "assert protocol.bind(made, asked).warm_up == 85\n"
        "heavy = {'numpy', 'talib', 'importlib.metadata', 'difflib'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
