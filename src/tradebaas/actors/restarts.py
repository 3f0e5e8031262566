"""Whether the daemon is being started again and again: a cause of protect-only.

The supervisor counts the deaths of one process. What ends whole processes (a kill, a crash of
Python, its own exit 70) is seen only in the log: lives that began and have no end. The newest
events are enough: lives that follow each other so fast have few. Counts and says; decides nothing.
"""

from collections.abc import Iterable

from tradebaas.config import SupervisorSection
from tradebaas.core.events import LifeEnded, LifeStarted
from tradebaas.store.records import NewRecord

RESTART_LOOP = "restart loop"
LOOKED = 500
"""How many of the newest events are looked at."""
STARTED, ENDED = LifeStarted.__name__, LifeEnded.__name__


def restarted_too_often(
    records: Iterable[NewRecord], now_ms: int, settings: SupervisorSection
) -> str:
    """What the newest records show to a life that begins now (wall time, as the log has it); "" for
    nothing that is out of order.

    As in the supervisor, a life that was healthy for ``forgive_seconds`` wipes out what was before.
    """
    began: int | None = None
    again: list[int] = []
    marks = [(record.kind, record.at_ms) for record in records if record.kind in (STARTED, ENDED)]
    for kind, at_ms in [*marks, (STARTED, now_ms)]:
        if kind == STARTED and began is not None:
            if at_ms - began >= settings.forgive_seconds * 1000 > 0:
                again.clear()
            again.append(at_ms)
        began = at_ms if kind == STARTED else None
    recent = [at_ms for at_ms in again if abs(now_ms - at_ms) <= settings.period_seconds * 1000]
    if len(recent) <= settings.deaths:
        return ""
    period = f"{settings.period_seconds:g} s"
    return f"{len(recent)} starts within {period} followed a life without an end"
