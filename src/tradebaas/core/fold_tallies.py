"""What the fold keeps beside orders and positions: counters, the day, findings, the naked clock.

The naked clock runs on the exchange's own timestamps: it starts when a position is first seen to
be larger than the stops that cover it and ends when the cover is complete or the position is gone.
"""

from bisect import bisect_left

from msgspec.structs import replace

from tradebaas.core.events import Finding
from tradebaas.core.state import NAKED_BUCKETS_MS, Counters, Day, State, naked_amount

DAY_MS = 86_400_000
_MOST_FINDINGS = 256


def count(state: State, **increments: int) -> Counters:
    """The counters of ``state``, each named one raised by its increment."""
    raised = {name: getattr(state.counters, name) + by for name, by in increments.items()}
    return replace(state.counters, **raised)


def day_of(day: Day, at_ms: int) -> Day:
    """``day`` if ``at_ms`` falls into it or before it, else the fresh day of ``at_ms``."""
    index = at_ms // DAY_MS
    return day if index <= day.index else Day(index=index)


def found(state: State, label: str, outcome: str, evidence: str) -> State:
    """Note the outcome for the recovery report, if this life's recovery is still under way."""
    recovering = state.recovering
    if not recovering.cause:
        return state
    finding = Finding(label=label, outcome=outcome, evidence=evidence)
    findings = (*recovering.findings, finding)[-_MOST_FINDINGS:]
    return replace(state, recovering=replace(recovering, findings=findings))


def _came_and_went(state: State) -> bool:
    """A position that opened and closed before this life looked: its stops were never to be seen.

    Whether it was naked nobody here can tell, so nothing is counted.
    """
    gone = state.position is None or state.position.size == 0
    return gone and bool(state.recovering.cause) and not state.naked_confirmed


def watch_naked(state: State, at_ms: int) -> State:
    """Start or stop the naked clock by the exchange's own timestamps."""
    since = state.naked_since_ms
    if naked_amount(state) > 0:
        if since is not None:
            return state
        return replace(state, naked_since_ms=at_ms, naked_confirmed=False)
    if since is None:
        return state
    unseen = _came_and_went(state)
    state = replace(
        state, naked_since_ms=None, naked_confirmed=False, stop_sent_ms=None, stop_refused=""
    )
    return state if unseen else _add_stretch(state, max(at_ms - since, 0))


def _add_stretch(state: State, naked_ms: int) -> State:
    """A position was naked for so long, and is not any more."""
    counters, recovering = state.counters, state.recovering
    stretches = list(counters.naked_stretches)
    stretches[bisect_left(NAKED_BUCKETS_MS, naked_ms)] += 1
    return replace(
        state,
        naked_ms=state.naked_ms + naked_ms,
        counters=replace(
            counters,
            naked_ms_total=counters.naked_ms_total + naked_ms,
            naked_ms_max=max(counters.naked_ms_max, naked_ms),
            naked_stretches=tuple(stretches),
        ),
        recovering=replace(recovering, naked_ms=recovering.naked_ms + naked_ms),
    )
