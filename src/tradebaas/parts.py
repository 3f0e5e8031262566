"""The parts of the shell, each under a budget of its own, and what is said of every death.

A part that dies is started again and never takes the crew down. What is said here is said without
waiting for a terminal, unless these are the last words of the process.
"""

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import final

import trio

from tradebaas.errors import Fatal
from tradebaas.output import say, say_last
from tradebaas.runtime.ports import Ports
from tradebaas.runtime.supervisor import (
    Budget,
    DeathReport,
    LifePlan,
    find_fatal,
    leaves,
    supervise,
)

BUDGET = Budget(deaths=20, period=600.0)


@final
@dataclass(slots=True)
class Parts:
    """Of one process. Until ``shell`` is there, every word is a last one."""

    ports: Ports
    shell: trio.Nursery | None = None

    async def keep(
        self, name: str, start: Callable[[LifePlan], Awaitable[None]], stop: trio.Event
    ) -> None:
        """Run a part until ``stop``, or until its budget is spent."""
        try:
            await supervise(
                start,
                clock=self.ports.clock,
                entropy=self.ports.entropy,
                budget=BUDGET,
                on_death=partial(self._note_death, name),
                stop=stop,
            )
        except Fatal as fatal:
            self.tell(f"{name} ended, the crew goes on: {fatal}")

    def tell(self, text: str, *, last: bool = False, actor: str = "shell") -> None:
        """Tell of a fault."""
        if self.shell is None or last:
            say_last(text)
        else:
            self.shell.start_soon(partial(say, text, "error", actor=actor))

    def note_crew(self, report: DeathReport) -> None:
        """Tell of the death of a crew."""
        causes = ", ".join(map(str, report.causes))
        after = "no further life" if report.backoff is None else f"again in {report.backoff:.2f} s"
        if all(isinstance(leaf, Fatal) for _, leaf in leaves(report.error)):
            return  # its message is the last word of the process
        text = f"life {report.life} died after {report.lived:.1f} s of {causes}; {after}\n"
        died = ", ".join(dict.fromkeys(cause.actor for cause in report.causes))
        self.tell(text + _trace(report.error), last=report.backoff is None, actor=died)

    def _note_death(self, name: str, report: DeathReport) -> None:
        if find_fatal(report.error) is None:
            self.tell(f"{name} died\n{_trace(report.error)}")


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()
