"""What is said while the exchange is not heard: at once, and then again and again.

Whoever has halted looks at a screen, and must not have to guess. So it is told what stands in the
way, what protects the position meanwhile as far as that can be known, and what a person can do.
"""

from typing import Protocol, final

import trio

from tradebaas.core.model import Role
from tradebaas.core.state import State, cover, flat, live_orders, ready
from tradebaas.direct.life import Life

SILENT_S = 2.0
AGAIN_S = 5.0
MOST_NAMED = 3
Advice = tuple[tuple[str, str], ...]


class Teller(Protocol):
    """Says a step, and knows when it last said one."""

    said_at: float

    def say(self, step: str, detail: str) -> None: ...


@final
class Silence:
    """Tells of it. ``before`` is what the log knew, ``within`` how long is tried in all."""

    def __init__(self, before: State, life: Life, within: float, advice: Advice) -> None:
        self._before = before
        self._life = life
        self._began = trio.current_time()
        self._within = within
        self._advice = advice

    async def tell(self, teller: Teller) -> None:
        """Whenever nothing was said for a while; until cancelled."""
        explained = False
        pause_s = SILENT_S
        while True:
            await trio.sleep_until(teller.said_at + pause_s)
            if trio.current_time() < teller.said_at + pause_s:
                continue
            passed = f"{trio.current_time() - self._began:.0f} of {self._within:g} s"
            if explained or ready(self._life.view):
                teller.say("waiting", f"{passed}: {shown(self._life)}")
            else:
                self._explain(teller)
                explained = True
            pause_s = AGAIN_S

    def _explain(self, teller: Teller) -> None:
        left_s = self._began + self._within - trio.current_time()
        why = f"the exchange cannot be reached ({link_text(self._life)})"
        teller.say("unreachable", f"{why}: nothing is closed yet, trying on for {left_s:.0f} s")
        teller.say("protection", rests(self._before))
        for step, detail in self._advice:
            teller.say(step, detail)


def rests(before: State) -> str:
    """What protects the position while nobody can ask the exchange: by the log, if there is one."""
    position = before.position
    if before.life == 0:
        return "nothing tells whether a position is open, nor whether its stop rests"
    if position is None or not position.ours or flat(before):
        unsure = bool(before.pending or before.orders)
        more = ", but an entry may be on its way; it carries its stop" if unsure else ""
        return f"by the log no position is open{more}"
    held = f"{position.open_amount} {position.instrument}"
    if cover(before) < position.open_amount:
        return f"by the log {held} is open and its stop does not cover all of it"
    stops = live_orders(before, Role.STOP)
    prices = ", ".join(str(order.trigger_price) for order in stops if order.trigger_price)
    return f"by the log the stop of {held} rests at the exchange ({prices}) and fires without us"


def link_text(life: Life | None) -> str:
    """What the connection says of itself."""
    link = life.board.link.value if life is not None else None
    return link.detail if link is not None and link.detail else "it has not answered yet"


def shown(life: Life | None) -> str:
    """What is left, as far as is known."""
    if life is None:
        return "nothing is known of the account"
    state, link = life.view, life.board.link.value
    held = f"{state.position.size} {state.position.instrument}" if state.position else "flat"
    words = [held if ready(state) else f"the account was not read ({held} before)"]
    live = [order.label or order.order_id for order in state.orders.values()]
    words += [f"live: {_some(live)}"] if live else []
    words += [f"of unknown outcome: {_some(list(state.pending))}"] if state.pending else []
    if link is not None and not link.up:
        words.append(link.detail)
    return ", ".join(words)


def _some(labels: list[str]) -> str:
    """The first of many: a line that comes every few seconds has to stay one line."""
    more = len(labels) - MOST_NAMED
    return " ".join(labels[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
