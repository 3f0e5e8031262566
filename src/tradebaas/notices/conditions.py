"""What is told because it lasts, or because a day is over: no event says so.

Each condition is told once when it comes and, where that is worth it, once when it has gone; a new
process tells of it again. Pure: told what there is.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import final

from tradebaas.board import Board
from tradebaas.commands.describe import number, position_text
from tradebaas.commands.summary import headline, trades_text
from tradebaas.config import Config
from tradebaas.core.elsewhere import all_naked
from tradebaas.core.state import State
from tradebaas.names import command
from tradebaas.notices.memory import Told, Totals, totals_of
from tradebaas.notices.model import Notice

DAY_MS = 86_400_000


@final
class Conditions:
    """Of one process. Times are monotonic seconds."""

    def __init__(self, config: Config, board: Board) -> None:
        self._board = board
        self._data = config.data_dir
        self._naked_s = config.risk.naked_ms / 1000
        self._naked_since: dict[str, float] = {}
        self._naked_told: set[str] = set()
        self._backup_failed = False
        self._store_fault = False

    def look(self, now: float) -> list[Notice]:
        """What has come or gone since the last look."""
        found = (self._backup(), self._store())
        return [*self._naked(now), *(notice for notice in found if notice is not None)]

    def _naked(self, now: float) -> list[Notice]:
        """Of every position of ours, by its instrument."""
        state = self._board.view.value
        bare = {} if state is None else all_naked(state)
        self._naked_since = {name: self._naked_since.get(name, now) for name in bare}
        over, self._naked_told = self._naked_told - bare.keys(), self._naked_told & bare.keys()
        found = [self._covered(name, state) for name in sorted(over)]
        for name, since in self._naked_since.items():
            if state is not None and name not in self._naked_told and now - since > self._naked_s:
                self._naked_told |= {name}
                found.append(self._bare(name, bare[name], state))
        return found

    def _bare(self, name: str, amount: Decimal, state: State) -> Notice:
        managed = state.position is not None and state.position.instrument == name
        position = state.position if managed else state.elsewhere[name]
        beside = "" if managed else ", a second position of ours,"
        link = self._board.link.value
        away = "" if link is not None and link.up else " It is not connected to the exchange now."
        return Notice(
            kind="naked",
            title="position without a full stop",
            happened=f"{number(amount)} of {position_text(position)}{beside} is covered by no live "
            f"stop for longer than {self._naked_s:g} s.",
            did=f"It places a stop, or closes the position.{away}",
            todo="Look at the account now; close by hand if neither happens within a minute. See: "
            + self._command("status"),
            urgent=True,
        )

    def _backup(self) -> Notice | None:
        status = self._board.backup.value
        before, self._backup_failed = self._backup_failed, bool(status and status.failure)
        if status is None or before or not status.failure:
            return None
        return Notice(
            kind="backup_failed",
            title="backup failed",
            happened=f"{status.failure}.",
            did="It trades on, and tries again each minute.",
            todo=f"Look at the reason, then: {self._command('backup', 'create')}",
        )

    def _store(self) -> Notice | None:
        status = self._board.store.value
        before, self._store_fault = self._store_fault, bool(status and status.fault)
        if status is None or before or not status.fault:
            return None
        return Notice(
            kind="store",
            title="the store cannot be written",
            happened=f"{status.fault}.",
            did="It trades nothing and tries again; stops that rest at the exchange protect what "
            "is open.",
            todo="Make room where the data directory is.",
            urgent=True,
        )

    def _covered(self, name: str, state: State | None) -> Notice:
        left = position_text(None if state is None else state.position)
        return Notice(
            kind="naked",
            title="no longer without a stop",
            happened=f"Nothing in {name} is without a stop any more. The managed position: {left}.",
            did="It placed the stop, or closed the position.",
            todo=f"Find out with `{self._command('log')}` what became of the stop.",
        )

    def _command(self, *words: str) -> str:
        return command(*words, "--data", self._data)


def summary(told: Told, board: Board, wall_ms: int) -> tuple[Notice | None, Told]:
    """The summary of the day that is over, if one is, and what to remember then.

    Several days without a daemon are one summary. The first day that is known is only begun. A day
    that lies ahead by more than a clock may go back is none: it would silence all until then.
    """
    state, day = board.view.value, wall_ms // DAY_MS
    known = told.day if told.day <= day + 1 else 0
    if state is None or day <= known:
        return None, told
    now = totals_of(state.counters)
    fresh = Told(seq=told.seq, day=day, totals=now)
    if known == 0:
        return None, fresh
    name = datetime.fromtimestamp((day - 1) * DAY_MS / 1000, UTC).date().isoformat()
    notice = Notice(
        kind="daily",
        title=f"summary of {name}",
        happened=_sums(told.totals, now),
        did=f"Now: {headline(state, board.link.value)}.",
        todo="Nothing, as long as this comes every day.",
    )
    return notice, fresh


def _sums(before: Totals, now: Totals) -> str:
    trades, won = now.trades - before.trades, now.success - before.success
    sums = trades_text(
        trades, won, trades - won, _gained(before.net, now.net), _gained(before.fees, now.fees),
        _gained(before.funding, now.funding),
    )  # fmt: skip
    return (
        f"Trades: {sums}; "
        f"{now.crashes - before.crashes} crashes, {now.unknown - before.unknown} unknown orders."
    )


def _gained(before: dict[str, Decimal], now: dict[str, Decimal]) -> dict[str, Decimal]:
    """What came to each sum, where it is not nothing."""
    gains = {name: value - before.get(name, Decimal(0)) for name, value in now.items()}
    return {name: gain for name, gain in gains.items() if gain}
