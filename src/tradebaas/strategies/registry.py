"""Finds a strategy by name: built in, from an installed package, or in a Python file.

A name is looked up in this order: the built-in ones; ``path/to/file.py:ClassName``; the entry
points of the group ``tradebaas.strategies``. Whatever is found must have every member of the
``Strategy`` protocol. What is missing, does not load, or lacks a member is an ``UnknownStrategy``
with the reason. Loading runs the code of the file or package: names come from the operator only.

Nothing here may cache (each ``get`` reads a file anew) or import numpy by itself.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from tradebaas.strategies.protocol import Parameter, Strategy, nearest, suggest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "tradebaas.strategies"

BUILT_IN: dict[str, str] = {"ma_cross": "tradebaas.strategies.ma_cross:MovingAverageCross"}

_MEMBERS = ("name", "summary", "parameters", "check", "warm_up", "evaluate")

# What Python raises for a file or package that is missing, broken or not what it says.
_LOAD_ERRORS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)


class UnknownStrategy(Struct, frozen=True):
    """No usable strategy has this name; ``nearest`` is a similar one that exists, or ""."""

    name: str
    reason: str
    nearest: str = ""


def names() -> tuple[str, ...]:
    """All names that ``get`` knows without a file, sorted."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in _entry_points())}))


def get(name: str) -> Strategy | UnknownStrategy:
    """The strategy called ``name``: a built-in, ``file.py:ClassName``, or an entry point."""
    target = BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return _checked(name, getattr(import_module(module), attribute)())
    path, _, attribute = name.rpartition(":")
    if path.endswith(".py"):
        return _from_file(name, Path(path).expanduser().absolute(), attribute)
    points = [point for point in _entry_points() if point.name == name]
    if len(points) == 1:
        return _from_entry_point(points[0])
    if points:
        offers = " and ".join(sorted(point.value for point in points))
        return UnknownStrategy(name, f"strategy {name!r} is ambiguous: {offers}; uninstall one")
    known = names()
    hint = "or give a file as path/to/file.py:ClassName"
    reason = f"no strategy is called {name!r}; {suggest(name, known)}; {hint}"
    return UnknownStrategy(name, reason, nearest(name, known))


def _from_file(name: str, path: Path, attribute: str) -> Strategy | UnknownStrategy:
    if not path.is_file():
        return UnknownStrategy(name, f"there is no strategy file {path}")
    try:
        module = _execute(path)
    except _LOAD_ERRORS as error:
        reason = f"{path} does not load: {type(error).__name__}: {error}"
        return UnknownStrategy(name, reason)
    factory = getattr(module, attribute, None)
    if not isinstance(factory, type):
        classes = [key for key, value in vars(module).items() if _defined_in(value, module)]
        return UnknownStrategy(
            name, f"{path} has no class {attribute!r}; {suggest(attribute, classes)}"
        )
    return _made(name, factory)


def _execute(path: Path) -> ModuleType:
    """Run the file as a module of its own.

    The source is compiled here and not by an importer, which could take a stale cached file.
    """
    module = ModuleType(f"tradebaas_strategy_file.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and msgspec look their module up
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    return module


def _defined_in(value: object, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _from_entry_point(point: "EntryPoint") -> Strategy | UnknownStrategy:
    try:
        factory = point.load()
    except _LOAD_ERRORS as error:
        reason = f"entry point {point.value} does not load: {type(error).__name__}: {error}"
        return UnknownStrategy(point.name, reason)
    if not isinstance(factory, type):
        return UnknownStrategy(point.name, f"entry point {point.value} is not a class")
    return _made(point.name, factory)


def _made(name: str, factory: type) -> Strategy | UnknownStrategy:
    try:
        candidate = factory()
    except _LOAD_ERRORS as error:
        reason = f"{factory.__name__}() failed: {type(error).__name__}: {error}"
        return UnknownStrategy(name, reason)
    return _checked(name, candidate)


def _checked(name: str, candidate: object) -> Strategy | UnknownStrategy:
    """The candidate, if it has the members of the protocol."""
    missing = [member for member in _MEMBERS if not hasattr(candidate, member)]
    kind = type(candidate).__name__
    if missing:
        return UnknownStrategy(name, f"{kind} is no strategy: it lacks {', '.join(missing)}")
    declared = getattr(candidate, "parameters", None)
    if not isinstance(declared, tuple) or not all(isinstance(p, Parameter) for p in declared):
        return UnknownStrategy(name, f"{kind}.parameters is not a tuple of Parameter")
    return cast(Strategy, candidate)


def _entry_points() -> list["EntryPoint"]:
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))
