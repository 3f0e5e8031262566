"""Timing a recovery and writing its report.

A life has recovered when a full read is in the state, every intent that it found unproven is
proven, and what is open is protected. The report then says what was found, how each intent was
proven and how long each step took. Only measures and words; decides nothing.
"""

from typing import final

from tradebaas.board import Context
from tradebaas.core.events import RecoveryReport
from tradebaas.core.state import State, naked_amount


@final
class RecoveryClock:
    """Marks the steps of a life's first session; silent once the report is written."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        store = ctx.board.store.value
        self._steps = {"store": store.opened_seconds if store else 0.0}
        self._recovered: float | None = None

    def note(self, step: str) -> None:
        """A step has just ended."""
        self._steps.setdefault(step, self._elapsed())

    def report(self, view: State) -> RecoveryReport | None:
        """The report, once everything that was found is settled; None before and after."""
        recovering = view.recovering
        if not recovering.cause or view.reconciled == 0 or view.reconciled != view.connection:
            return None
        if naked_amount(view) > 0:
            return None
        if self._recovered is None:
            self._recovered = self._elapsed()
            self._steps["protected"] = self._recovered
        if any(label in view.pending for label in recovering.unresolved):
            return None
        store = self._ctx.board.store.value
        position = view.position
        return RecoveryReport(
            life=view.life,
            cause=recovering.cause,
            phase=recovering.phase,
            events_replayed=store.events_replayed if store else 0,
            unresolved=recovering.unresolved,
            findings=recovering.findings,
            position=f"{position.size} {position.instrument}" if position else "flat",
            naked_ms=recovering.naked_ms,
            store_notes=store.notes if store else (),
            steps={step: round(seconds, 4) for step, seconds in self._steps.items()},
            recovered_seconds=round(self._recovered, 4),
            settle_seconds=round(self._elapsed() - self._recovered, 4),
        )

    def _elapsed(self) -> float:
        return self._ctx.ports.clock.monotonic() - self._ctx.born
