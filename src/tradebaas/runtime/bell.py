"""Wakes one task when any of several values has changed.

A ``Latest`` can be waited for, but only one at a time; a task that must look again when this or
that moved waits for a bell instead. Rings that come together are one ring, so a slow listener is
never behind by more than one look.
"""

from typing import Self, TypeVar, final

import trio

from tradebaas.runtime.mailbox import Latest

T = TypeVar("T")


@final
class Bell:
    """One listener, any number of values that ring. Rings once at the start."""

    def __init__(self) -> None:
        self._rung = trio.Event()
        self._rung.set()

    def on(self, nursery: trio.Nursery, *values: Latest[T]) -> Self:
        """Ring whenever one of ``values`` is set, for as long as the nursery lives."""
        for value in values:
            nursery.start_soon(self._ring_on, value, value.version)
        return self

    async def wait(self, at_most: float = float("inf")) -> None:
        """Wait for the next ring, or ``at_most`` so many seconds."""
        with trio.move_on_after(at_most):
            await self._rung.wait()
        self._rung = trio.Event()

    async def _ring_on(self, value: Latest[T], version: int) -> None:
        while True:
            _, version = await value.wait_newer(version)
            self._rung.set()
