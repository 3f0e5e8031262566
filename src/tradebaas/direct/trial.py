"""A scripted session of the smallest size, with the daemon's own decisions and its own desk.

Logs in, refuses anything but a test network or a machine nearby, refuses an account that holds or
orders anything, enters with the smallest amount that the contract allows, sees the stop confirmed,
closes, waits until nothing is left, and looks once more through a connection of its own. Whatever
goes wrong after the entry ends in a halt, which closes too. Says each step as it is done.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import final

import msgspec
import trio

from tradebaas.board import limits_of
from tradebaas.config import Config
from tradebaas.core.events import Event, SignalDropped, TradeClosed
from tradebaas.core.messages import Arm, ClosePosition, Committed, Halt, Propose, Refused
from tradebaas.core.model import (
    Assignment,
    ContractKind,
    Direction,
    Instrument,
    Market,
    Role,
    Signal,
    Trade,
)
from tradebaas.core.risk import Limits, round_stop, round_take, worst_entry_price
from tradebaas.core.state import State, barrier, live_orders, naked_amount, ready
from tradebaas.direct.life import Life, Setting, open_life
from tradebaas.direct.look import (
    Ear,
    Found,
    Trial,
    TrialFailed,
    listed,
    look,
    refuse_real_money,
    refuse_used_account,
)
from tradebaas.errors import Unusable
from tradebaas.runtime.ports import always
from tradebaas.strategies.protocol import TIMEFRAMES, Proposal
from tradebaas.strategies.signals import to_signal

STEP_S = 30.0
CLEAR_S = 60.0
HOLD_S = 2.0
ATTEMPTS = 3
AWAY_PERCENT = Decimal(2)
"""From the price to the stop, and to the take profit: far enough that neither is met by chance."""
MARGIN = Decimal("1.2")
"""The budget, as a multiple of what the smallest amount risks: prices move until the entry."""
TIMEFRAME = "1m"


async def run(trial: Trial) -> Trade:
    """The whole session; the trade that it made.

    Raises:
        Unusable: it may not be done there, or with this account.
        TrialFailed: a step failed; what was opened has been closed, unless the message says so.
    """
    refuse_real_money(trial.config.exchange.environment, trial.url)
    ear = Ear(trial.tap)
    trial = replace(trial, ports=replace(trial.ports, tap=ear))
    before = await look(trial)
    ear.refuse_real_money()
    refuse_used_account(before)
    item = before.instrument
    trial.say("account", f"empty, {before.equity} {item.currency}")
    trades: list[Trade] = []
    dropped: list[str] = []

    def tell(event: Event) -> None:
        match event:
            case TradeClosed(trade=trade):
                trades.append(trade)
            case SignalDropped(reason=reason):
                dropped.append(reason)
            case _:
                pass

    setting = Setting(
        config=trial.config, ports=trial.ports, locate=always(trial.url), secret=trial.secret,
        state=State(), cause="trial", tell=tell, limits=_limits(trial.config, before),
    )  # fmt: skip
    async with open_life(setting) as life:
        await _Script(trial, life, item, dropped).play()
    after = await look(trial)
    if after.held or after.orders:
        raise TrialFailed(f"a last look finds {listed(after)}: close that by hand")
    trial.say("flat", "a new connection sees no position and no order")
    if not trades:
        raise TrialFailed("it ended flat, and no trade was recorded: look at the transcript")
    return trades[-1]


# ------------------------------------------------------------------------------------ the bracket


def _limits(config: Config, found: Found) -> Limits:
    """Limits that allow the smallest amount, and by ``max_amount`` nothing above it."""
    item, entry = found.instrument, found.ask
    worst = worst_entry_price(Direction.BUY, entry, config.risk.slippage_percent, item.tick_size)
    stop, _ = _legs(item, entry)
    inverse = item.kind is ContractKind.INVERSE
    loss = 1 / stop - 1 / worst if inverse else worst - stop
    if found.equity <= 0:
        raise Unusable(f"the account has no {item.currency}: get some on the test network's page")
    percent = MARGIN * item.min_amount * loss / found.equity * 100
    return msgspec.structs.replace(
        limits_of(config),
        risk_percent=percent,
        max_amount=item.min_amount,
        max_leverage=item.max_leverage,
    )


def _legs(item: Instrument, entry: Decimal) -> tuple[Decimal, Decimal]:
    away = entry * AWAY_PERCENT / 100
    stop = round_stop(Direction.BUY, entry - away, item.tick_size)
    return stop, round_take(Direction.BUY, entry + away, item.tick_size)


def _signal(market: Market, attempt: int) -> Signal:
    """A signal of its own for each attempt: none is admitted twice."""
    entry = market.ticker.ask
    stop, take = _legs(market.instrument, entry)
    proposal = Proposal(
        direction=Direction.BUY, entry=entry, stop=stop, take=take, reasons=("trial",)
    )
    length = TIMEFRAMES[TIMEFRAME].ms
    last = msgspec.structs.replace(  # a bar without trades may not have been told
        market.candles[-1], open_ms=market.at_ms - market.at_ms % length - length
    )
    assignment = _assignment(market.instrument.name, attempt)
    signal = to_signal(assignment, last, market.instrument, proposal)
    if not isinstance(signal, Signal):
        raise TrialFailed(f"no bracket can be made at {entry}: {signal.reason}")
    return signal


def _assignment(instrument: str, attempt: int) -> Assignment:
    parameters = {"attempt": str(attempt)}
    return Assignment(
        strategy="trial", parameters=parameters, instrument=instrument, timeframe=TIMEFRAME
    )


# ------------------------------------------------------------------------------------- the script


@final
class _Script:
    """The steps, each with its limit."""

    def __init__(
        self, trial: Trial, life: Life, instrument: Instrument, dropped: list[str]
    ) -> None:
        self._say = trial.say
        self._life = life
        self._instrument = instrument
        self._dropped = dropped

    async def play(self) -> None:
        """All steps; what fails after the entry is followed by a halt.

        Raises:
            TrialFailed: a step failed.
        """
        state = await self._step("reconciled", ready)
        problem = barrier(state)
        if problem:
            raise TrialFailed(f"nothing may be opened: {problem}")
        self._say("reconciled", "the account was read in full, and the stream continues it")
        try:
            await self._enter()
            await self._protected()
            await trio.sleep(HOLD_S)
            await self._close()
        except TrialFailed as failed:
            raise TrialFailed(f"{failed}; {await self._clear()}") from failed

    async def _enter(self) -> None:
        armed = await self._life.ask(Arm(assignment=_assignment(self._instrument.name, 0)))
        assert isinstance(armed, Committed), armed
        for attempt in range(ATTEMPTS):
            market = await self._market()
            answer = await self._life.ask(Propose(signal=_signal(market, attempt), market=market))
            if isinstance(answer, Refused) or self._dropped:
                words = answer.reason if isinstance(answer, Refused) else self._dropped[-1]
                raise TrialFailed(f"the entry is not admitted: {words}")
            state = await self._step("the entry's end", _is_decided)
            if state.position is not None:
                amount, price = state.position.entry_amount, market.ticker.ask
                self._say("entered", f"{amount} {self._instrument.name} near {price}")
                return
            self._say("not filled", f"attempt {attempt + 1} of {ATTEMPTS}: the book had moved away")
        raise TrialFailed(f"none of {ATTEMPTS} entries was filled")

    async def _market(self) -> Market:
        """The next one that is published: an older one's clock has gone on meanwhile."""
        with trio.move_on_after(STEP_S):
            _, version = await self._life.board.market.wait_newer(0)
            market, _ = await self._life.board.market.wait_newer(version)
            return market
        raise TrialFailed(f"no prices within {STEP_S:g} s")

    async def _protected(self) -> None:
        state = await self._step("the stop", _is_covered)
        (stop, *_) = live_orders(state, Role.STOP)
        self._say("protected", f"stop {stop.order_id} at {stop.trigger_price} is {stop.state}")

    async def _close(self) -> None:
        answer = await self._life.ask(ClosePosition(reason="trial"))
        if isinstance(answer, Refused):  # its stop or its take profit was faster
            self._say("closing", answer.reason)
        await self._step("flat", _is_flat)
        self._say("closed", "flat, and no order of ours is left")

    async def _clear(self) -> str:
        """Halt, which closes whatever is open; what came of it."""
        await self._life.ask(Halt(by="trial", reason="a step failed"))
        with trio.move_on_after(CLEAR_S):
            await self._life.until(lambda state: ready(state) and _is_flat(state))
            return "what was open is closed"
        return f"NOT closed within {CLEAR_S:g} s, close by hand: {self._explain()}"

    async def _step(self, what: str, wanted: Callable[[State], bool]) -> State:
        with trio.move_on_after(STEP_S):
            return await self._life.until(wanted)
        raise TrialFailed(f"{what}: not within {STEP_S:g} s; {self._explain()}")

    def _explain(self) -> str:
        """What the life shows, for a person."""
        state, link = self._life.view, self._life.board.link.value
        position = (
            f"{state.position.size} {state.position.instrument}" if state.position else "flat"
        )
        detail = f"link {'up' if link.up else 'down'}, {link.detail}" if link else "no link yet"
        return f"{position}, {len(state.orders)} orders, {len(state.pending)} unproven, {detail}"


def _is_decided(state: State) -> bool:
    """The entry's outcome is known: a position, or nothing."""
    return not state.pending and (state.position is not None or not state.orders)


def _is_covered(state: State) -> bool:
    held = state.position is not None and not state.pending
    confirmed = any(not order.waiting for order in live_orders(state, Role.STOP))
    return held and confirmed and not naked_amount(state)


def _is_flat(state: State) -> bool:
    return state.position is None and not state.orders and not state.pending
