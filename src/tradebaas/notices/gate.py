"""How many notices are let through. What is held back is counted, and the count is told later.

Urgent ones have a budget of their own, so that a busy hour never holds back a naked position. Pure:
told the time (monotonic seconds), never asks for it.
"""

from collections import Counter
from pathlib import Path
from typing import final

from tradebaas.names import command
from tradebaas.notices.model import Notice
from tradebaas.notices.window import Window
from tradebaas.settings import NoticesSection

HELD = "held back"


@final
class Gate:
    """Counts over a sliding window; ``data`` is the directory whose log has the rest."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._passed = {True: Window(), False: Window()}
        self._held: Counter[str] = Counter()
        self.held_total = 0

    def passes(self, notice: Notice, settings: NoticesSection, now: float) -> bool:
        """Whether a notice is to be sent; one that is not is counted if its switch is on."""
        if not getattr(settings, notice.kind):
            return False
        if not self._room(notice.urgent, settings, now):
            self.hold(notice)
            return False
        self._note(notice.urgent, now)
        return True

    def hold(self, notice: Notice) -> None:
        """Count a notice that will not be sent."""
        self._held[notice.title] += 1
        self.held_total += 1

    def digest(self, settings: NoticesSection, now: float) -> Notice | None:
        """What was held back, once there is room to say so; then it counts afresh."""
        if not self._held or not self._room(False, settings, now):
            return None
        self._note(False, now)
        counts = ", ".join(f"{times} x {title}" for title, times in self._held.most_common())
        total, self._held = sum(self._held.values()), Counter()
        return Notice(
            kind=HELD,
            title=f"{total} notices were held back",
            happened=f"More came than may be sent: {counts}.",
            did=f"It sends at most {settings.at_most} within {settings.within_seconds:g} s "
            "(urgent ones are counted apart) and kept the rest to this count.",
            todo=f"`{command('log', '--data', self._data)}` has each of them. A flood is a fault "
            "that comes and goes: look which one.",
        )

    def _room(self, urgent: bool, settings: NoticesSection, now: float) -> bool:
        slid = self._passed[urgent] = self._passed[urgent].slid(now, settings.within_seconds)
        return len(slid.times) < settings.at_most

    def _note(self, urgent: bool, now: float) -> None:
        self._passed[urgent] = self._passed[urgent].noted(now)
