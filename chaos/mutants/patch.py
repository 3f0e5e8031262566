"""Replaces pieces of the real program in memory, and puts every one of them back.

A mutant that no longer fits the program must not pass for one that was caught or survived, so a
patch insists: the attribute is there, it is the target's own, and a function is replaced by one of
its kind that takes as many arguments.
"""

import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Misfit(LookupError):
    """The program has changed, and the mutant with it must be brought up to date."""


class Patch:
    """All replacements of one mutant; leaving the block undoes them, the last one first."""

    def __init__(self) -> None:
        self._undo: list[tuple[object, str, object]] = []

    def set(self, target: object, name: str, value: object) -> None:
        """Set ``target.name``, of a module or a class, until the patch is undone.

        Raises:
            Misfit: there is nothing of that name, or nothing like ``value``.
        """
        if name not in vars(target):
            raise Misfit(f"{target!r} has no {name!r} of its own")
        before = vars(target)[name]
        _compare(before, value, f"{target!r}.{name}")
        self._undo.append((target, name, before))
        setattr(target, name, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._undo:
            target, name, before = self._undo.pop()
            setattr(target, name, before)


def _compare(before: object, value: object, where: str) -> None:
    if inspect.isfunction(before) != inspect.isfunction(value):
        raise Misfit(f"{where} is {before!r}, not of the kind of {value!r}")
    if not inspect.isfunction(before) or not inspect.isfunction(value):
        return
    if inspect.iscoroutinefunction(before) != inspect.iscoroutinefunction(value):
        raise Misfit(f"{where}: one is a coroutine function, the other is not")
    if _arguments(before) != _arguments(value):
        raise Misfit(f"{where} takes {_arguments(before)}, the mutant {_arguments(value)}")


def _arguments(function: Callable[..., Any]) -> list[str]:
    """The kinds of all parameters in their order: names may differ, numbers may not."""
    return [str(p.kind) for p in inspect.signature(function).parameters.values()]
