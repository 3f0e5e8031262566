"""How much has passed lately: the measure of both limits on notices. Pure."""

from typing import Self

from msgspec import Struct


class Window(Struct, frozen=True):
    """When something passed, in any unit of time; a clock that was set back forgets it."""

    times: tuple[float, ...] = ()

    def slid(self, now: float, within: float) -> Self:
        """What of it lies less than ``within`` before ``now``."""
        return type(self)(tuple(at for at in self.times if 0 <= now - at < within))

    def noted(self, now: float) -> Self:
        """With another one."""
        return type(self)((*self.times, now))
