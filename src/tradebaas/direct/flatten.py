"""The deed of a halt, done without a daemon or without its disk.

In the order of every halt: entries are cancelled and the position is closed by labelled reduce-only
orders (neither waits for the other: what an entry may still open is closed as well), a full read
shows that nothing is left, and only then do stop and take profit go. Wherever
this is interrupted the position has its stop: that rests at the exchange, and whoever comes next
(this again, or a daemon) goes on from what is there. Only what is ours is touched. Each step is
said as the exchange confirms it, and what is awaited whenever nothing was said for a while.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import final

import trio
from msgspec import Struct

from tradebaas.core.admission import validity_ms
from tradebaas.core.events import (
    Event,
    Filled,
    Linked,
    LinkLost,
    OrderAbandoned,
    OrderAdopted,
    OrderIntended,
    OrderRejected,
    OrderUnknown,
    OrderUpdated,
    Reconciled,
    TradeClosed,
)
from tradebaas.core.messages import Halt
from tradebaas.core.model import Role, role_of
from tradebaas.core.state import State, flat, ready
from tradebaas.direct.life import Life, Setting, open_life
from tradebaas.direct.silence import Advice, Silence, shown

Say = Callable[[str, str], None]
WORDS = {Role.ENTRY: "entry", Role.STOP: "stop", Role.TAKE: "take profit", Role.CLOSE: "close"}


@final
class Left(Struct, frozen=True, kw_only=True):
    """How it ended: ``problem`` is "" when nothing of ours is left, ``foreign`` is not ours."""

    problem: str
    foreign: tuple[str, ...] = ()


async def flatten(
    setting: Setting, by: str, reason: str, within: float, say: Say, advice: Advice = ()
) -> Left:
    """Halt, and wait until nothing of ours is left, at most ``within`` seconds.

    ``advice`` is said as well when the exchange is not heard. A state that knows no life is that of
    a store that could not be read: then an entry that it knew of may still be on its way, so the
    end is waited for as long as that is possible.

    Raises:
        Unusable: the exchange leads to another account than the state belongs to.
    """
    blind = setting.state.life == 0
    teller = _Teller(say, setting.tell)
    life: Life | None = None
    with trio.move_on_after(within):
        async with open_life(replace(setting, tell=teller)) as life, trio.open_nursery() as nursery:
            silence = Silence(setting.state, life, within, advice)
            nursery.start_soon(silence.tell, teller)
            await life.ask(Halt(by=by, reason=reason))
            await life.until(_is_done)
            if blind:
                teller.say("waiting", "until nothing that was sent before can be executed any more")
                await _outlast_entries(life)
            nursery.cancel_scope.cancel()
            say("flat", "read in full: no position and no order of ours")
            teller.done = True
            return Left(problem="", foreign=tuple(life.view.foreign.values()))
    return Left(problem=f"not flat within {within:g} s: {shown(life)}")


async def _outlast_entries(life: Life) -> None:
    """Until nothing that was sent before can be executed any more, and what was is closed."""
    link = life.board.link.value
    rate = link.rate if link is not None else Decimal(1)
    limits = life.limits
    longest_ms = validity_ms(limits, rate) + limits.queue_bound_ms + limits.proof_margin_ms
    await trio.sleep(float(longest_ms / (1000 * rate)))
    await life.until(_is_done)


def _is_done(state: State) -> bool:
    return ready(state) and flat(state) and not state.orders and not state.pending


@final
class _Teller:
    """Says the steps that events show."""

    def __init__(self, say: Say, tell: Callable[[Event], None]) -> None:
        self._sink = say
        self._tell = tell
        self._gone: set[str] = set()
        self.done = False
        self.said_at = trio.current_time()

    def say(self, step: str, detail: str) -> None:
        self.said_at = trio.current_time()
        self._sink(step, detail)

    def __call__(self, event: Event) -> None:
        self._tell(event)
        if self.done:  # what follows is only that this leaves
            return
        match event:
            case Linked(account=account):
                self.say("logged in", account)
            case LinkLost(reason=reason):
                self.say("cut off", f"{reason}; connecting again")
            case Reconciled():
                self.say("read", "orders, trades and positions in full")
            case OrderAdopted(label=label, how=how):
                self.say("found", f"{label}: {how}")
            case OrderUpdated(order=order) if not order.live and order.order_id not in self._gone:
                self._gone.add(order.order_id)
                word = WORDS.get(order.role, "order") if order.role else "order"
                self.say(order.state, f"{word} {order.label or order.order_id}")
            case OrderIntended(intent=intent):
                said = f"{intent.direction} {intent.amount} {intent.instrument}, reduce-only"
                self.say(WORDS[intent.role], f"{said}, as {intent.label}")
            case Filled(fill=fill):
                role = role_of(fill.label)
                word = WORDS[role] if role else "not ours"
                self.say("filled", f"{word}: {fill.direction} {fill.amount} at {fill.price}")
            case TradeClosed(trade=trade):
                self.say("closed", f"net {trade.net} {trade.currency} ({trade.exit_reason})")
            case OrderRejected(label=label, message=message):
                self.say("refused", f"{label}: {message}; trying again")
            case OrderUnknown(label=label, reason=reason):
                self.say("unanswered", f"{label}: {reason}; asking what became of it")
            case OrderAbandoned(label=label):
                self.say("never there", f"{label} is proven absent")
            case _:
                pass
