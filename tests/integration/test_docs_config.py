"""The example configuration names every key with its default, and each TOML in the docs works."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import fields

from tradebaas.actors.strategy import bound_strategy
from tradebaas.config import Config, load, parse
from tradebaas.core.model import Assignment
from tradebaas.strategies import registry
from tradebaas.strategies.protocol import TIMEFRAMES
from tradebaas.strategies.registry import UnknownStrategy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "tradebaas.toml.example"
TEXT = EXAMPLE.read_text(encoding="utf-8")
CONFIGURATION = r"```toml(?! title=.pyproject)[^\n]*\n(.*?)```"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def known_keys(shape: type[Struct] = Config, prefix: str = "") -> Iterator[str]:
    """``section.key`` of everything that can be configured."""
    for field in fields(shape):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from known_keys(field.type, f"{field.name}.")
        else:
            yield prefix + field.name


def stated_keys() -> Iterator[tuple[str, str]]:
    """(``section.key``, rest of its line) in the example, commented out or not."""
    section = ""
    for line in TEXT.splitlines():
        if head := re.match(r"\[(\S+)](.*)", line):
            section = f"{head[1]}."
            yield head[1], head[2]
        elif pair := re.match(r"(?:# )?(\w+) = (.+)", line):
            yield section + pair[1], pair[2]


def test_the_example_states_every_default() -> None:
    assert load(EXAMPLE) == Config()


def test_the_example_names_every_key_once_and_explains_it() -> None:
    names = [name for name, _ in stated_keys()]
    assert sorted(names) == sorted(set(names))
    assert set(known_keys()) <= set(names)
    known = set(known_keys())
    assert [name for name, rest in stated_keys() if name in known and "#" not in rest] == []


def test_the_commented_settings_may_be_taken_as_they_are() -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", TEXT, flags=re.MULTILINE)
    config = parse(tomllib.loads(text), text)
    strategy = config.strategy
    declared = registry.get(strategy.name)
    assert not isinstance(declared, UnknownStrategy)
    stated = {name: str(value) for name, value in strategy.parameters.items()}
    assert config.risk.max_amount is not None
    assert stated == {p.name: str(p.default) for p in declared.parameters}
    bound_strategy(
        Assignment(
            strategy=strategy.name,
            parameters=stated,
            instrument=strategy.instrument,
            timeframe=strategy.timeframe,
        )
    )


def test_the_example_lists_the_timeframes() -> None:
    *others, last = TIMEFRAMES
    assert f"{', '.join(others)} or {last}" in dict(stated_keys())["strategy.timeframe"]


def toml_blocks() -> list[tuple[str, str]]:
    """(page, text) of every TOML block in the docs."""
    return [
        (str(page.relative_to(ROOT)), block)
        for page in PAGES
        for block in re.findall(CONFIGURATION, page.read_text(encoding="utf-8"), re.DOTALL)
    ]


@pytest.mark.parametrize("where, text", toml_blocks())
def test_the_toml_in_the_docs_is_a_valid_configuration(where: str, text: str) -> None:
    parse(tomllib.loads(text), text, where)


def test_there_is_toml_in_the_docs() -> None:
    assert toml_blocks()
