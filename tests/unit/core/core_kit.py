"""A story told to the core: requests go in, the state and all events are kept and checked.

After every request the fold of all events must be the state, and the phase must be the one that
the contents amount to. Numbers are those of the protocol dossier's worked examples: 1000 USD of
BTC-PERPETUAL from 80 000 to 82 000, and 0.025 BTC of BTC_USDC-PERPETUAL over the same way.
"""

from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from tradebaas.core.apply import apply
from tradebaas.core.decide import Decision, decide
from tradebaas.core.events import Event, OrderIntended, PhaseChanged
from tradebaas.core.facts import Fact, FillFact, OpenOrdersFact, OrderFact, PositionFact
from tradebaas.core.messages import (
    Arm,
    Link,
    Propose,
    Refused,
    Report,
    Request,
    StartLife,
    Tend,
)
from tradebaas.core.model import (
    ZERO,
    Account,
    Assignment,
    ContractKind,
    Direction,
    Fill,
    Instrument,
    Intent,
    Market,
    Order,
    Phase,
    Signal,
    Ticker,
)
from tradebaas.core.risk import Limits
from tradebaas.core.state import State, phase_of

D = Decimal
T0 = 1_700_000_000_000
MINUTE = 60_000
BUY, SELL = Direction.BUY, Direction.SELL
INVERSE = Instrument(
    name="BTC-PERPETUAL",
    kind=ContractKind.INVERSE,
    currency="BTC",
    tick_size=D("0.5"),
    amount_step=D(10),
    min_amount=D(10),
    max_leverage=D(50),
    taker_commission=D("0.00035"),
)
LINEAR = Instrument(
    name="BTC_USDC-PERPETUAL",
    kind=ContractKind.LINEAR,
    currency="USDC",
    tick_size=D("0.5"),
    amount_step=D("0.0001"),
    min_amount=D("0.0001"),
    max_leverage=D(50),
    taker_commission=D("0.00035"),
)
LIMITS = Limits(slippage_percent=D(0))
EQUITY = {"BTC": D("0.0159"), "USDC": D(2500)}
"""With 1 % at risk over 1 000 of price: 1 000 USD inverse (of 1 004.88), 0.025 BTC linear."""

E = TypeVar("E")


def assignment(instrument: Instrument = INVERSE, strategy: str = "ma-cross") -> Assignment:
    return Assignment(
        strategy=strategy, parameters={"fast": "9"}, instrument=instrument.name, timeframe="1m"
    )


class Story:
    """A life of the core, from an empty store unless ``state`` is given."""

    def __init__(self, instrument: Instrument = INVERSE, limits: Limits = LIMITS) -> None:
        self.instrument = instrument
        self.limits = limits
        self.state = State()
        self.events: list[Event] = []
        self.now = T0
        self.price = D(80_000)
        self.trades = 0

    # ------------------------------------------------------------------------- requests

    def tell(self, request: Request) -> tuple[Event, ...]:
        """Decide, check, keep; returns the events."""
        before = self.state
        decision = decide(before, request, self.limits)
        assert isinstance(decision, Decision), decision
        assert decide(before, request, self.limits) == decision, "decide must be deterministic"
        folded = before
        for event in decision.events:
            folded = apply(folded, event)
        assert folded == decision.state
        assert folded.phase is phase_of(folded)
        self.state = folded
        self.events.extend(decision.events)
        return decision.events

    def refusal(self, request: Request) -> str:
        answer = decide(self.state, request, self.limits)
        assert isinstance(answer, Refused), answer
        return answer.reason

    def facts(self, *facts: Fact, complete: bool = False) -> tuple[Event, ...]:
        return self.tell(
            Report(connection=self.state.connection, at_ms=self.now, facts=facts, complete=complete)
        )

    def start(self, token: str = "aa", cause: str = "", poisoned: bool = False) -> None:
        self.tell(
            StartLife(token=token, wall_ms=self.now, cause=cause, poisoned=poisoned, halt_file="")
        )

    def link(self, connection: int = 1) -> None:
        self.tell(Link(connection=connection, up=True, account="me"))

    def unlink(self) -> tuple[Event, ...]:
        return self.tell(Link(connection=self.state.connection, up=False, reason="reset by peer"))

    def reconcile(self, *facts: Fact, size: str = "0", orders: tuple[str, ...] = ()) -> None:
        """A full read: ``facts``, the ids of all open orders, the position."""
        self.now += 1
        self.facts(
            *facts,
            OpenOrdersFact(order_ids=orders, read_ms=self.now),
            self.position_fact(size),
            complete=True,
        )

    def up(self) -> "Story":
        """Started, connected, reconciled and armed."""
        self.start()
        self.link()
        self.reconcile()
        self.tell(Arm(assignment=assignment(self.instrument)))
        return self

    def propose(self, direction: Direction = BUY, candle: int = 0) -> tuple[Event, ...]:
        return self.tell(Propose(signal=self.signal(direction, candle), market=self.market()))

    def tend(self) -> tuple[Event, ...]:
        return self.tell(
            Tend(connection=self.state.connection, at_ms=self.now, market=self.market())
        )

    # ------------------------------------------------------------------------- whole ways

    def entering(self, direction: Direction = BUY) -> Intent:
        """Up to the durable intent of an entry."""
        self.up()
        self.propose(direction)
        return self.intent()

    def entered(self, direction: Direction = BUY) -> Intent:
        """Up to an open position with its live stop ("stop") and take profit ("take")."""
        intent = self.entering(direction)
        self.now += 10
        self.facts(
            self.order(intent.legs[0].label, "oto-s", waiting=True),
            self.order(intent.legs[1].label, "oto-t", waiting=True),
        )
        self.facts(
            self.fill(intent.label, intent.amount),
            self.order(intent.label, "entry", state="filled", filled=intent.amount),
        )
        self.facts(
            self.order(intent.legs[0].label, "oto-s", state="triggered"),
            self.order(intent.legs[1].label, "oto-t", state="triggered"),
            self.order(intent.legs[0].label, "stop"),
            self.order(intent.legs[1].label, "take", state="open"),
        )
        return intent

    def gone(self, order_id: str, why: str = "oco_other_closed") -> OrderFact:
        """The order was cancelled just now."""
        order = self.state.orders[order_id]
        return OrderFact(
            order=replace(order, state="cancelled", cancel_reason=why, updated_ms=self.now)
        )

    # ------------------------------------------------------------------------- values

    def market(self) -> Market:
        item = self.instrument
        return Market(
            connection=self.state.connection,
            at_ms=self.now,
            instrument=item,
            timeframe_ms=MINUTE,
            candles=(),
            ticker=Ticker(
                at_ms=self.now, bid=self.price, ask=self.price, mark=self.price, index=self.price
            ),
            account=Account(
                currency=item.currency,
                equity=EQUITY[item.currency],
                available=EQUITY[item.currency],
            ),
        )

    def signal(self, direction: Direction = BUY, candle: int = 0) -> Signal:
        candle_ms = T0 + (candle - 1) * MINUTE
        return Signal(
            signal_id=f"{direction}-{candle}",
            stream="stream",
            instrument=self.instrument.name,
            direction=direction,
            candle_ms=candle_ms,
            timeframe_ms=MINUTE,
            entry=self.price,
            stop=self.price - direction.sign * 1_000,
            take=self.price + direction.sign * 2_000,
        )

    def intent(self, role: str = "e") -> Intent:
        """The newest intent of a role."""
        found = [e.intent for e in self.events if isinstance(e, OrderIntended)]
        return next(i for i in reversed(found) if i.role == role)

    def order(
        self,
        label: str,
        order_id: str,
        *,
        state: str = "untriggered",
        amount: Decimal | None = None,
        filled: Decimal = ZERO,
        waiting: bool = False,
        direction: Direction | None = None,
    ) -> OrderFact:
        entry = self.intent().direction if self._has_entry() else BUY
        role = label.rsplit("-", 1)[-1]
        return OrderFact(
            order=Order(
                order_id=order_id,
                label=label,
                instrument=self.instrument.name,
                direction=direction or (entry if role == "e" else entry.opposite),
                order_type="stop_market" if role == "s" else "limit",
                state=state,
                amount=amount or (self.intent().amount if self._has_entry() else D(1000)),
                filled=filled,
                reduce_only=role != "e",
                waiting=waiting,
                created_ms=self.now,
                updated_ms=self.now,
            )
        )

    def fill(
        self,
        label: str,
        amount: Decimal | str,
        *,
        price: str = "",
        fee: str = "0",
        direction: Direction | None = None,
        trade_id: str = "",
        at: int | None = None,
        liquidation: bool = False,
    ) -> FillFact:
        self.trades += 1
        entry = self.intent().direction if self._has_entry() else BUY
        return FillFact(
            fill=Fill(
                trade_id=trade_id or f"t{self.trades}",
                order_id="",
                label=label,
                instrument=self.instrument.name,
                contract=self.instrument.kind,
                direction=direction or (entry if label.endswith("-e") else entry.opposite),
                amount=D(amount),
                price=D(price) if price else self.price,
                fee=D(fee),
                currency=self.instrument.currency,
                at_ms=self.now if at is None else at,
                liquidation=liquidation,
            )
        )

    def position_fact(self, size: str, price: str = "80000") -> PositionFact:
        return PositionFact(
            instrument=self.instrument.name,
            contract=self.instrument.kind,
            currency=self.instrument.currency,
            size=D(size),
            average_price=D(price) if D(size) else D(0),
            at_ms=self.now,
            asked_ms=self.now,
        )

    def phase(self) -> Phase:
        return self.state.phase

    def naked_since(self) -> int | None:
        return self.state.naked_since_ms

    def phases(self) -> list[Phase]:
        """Every phase that the story went through, in order."""
        changes = [e for e in self.events if isinstance(e, PhaseChanged)]
        return [Phase.IDLE, *(change.target for change in changes)]

    def _has_entry(self) -> bool:
        return any(isinstance(e, OrderIntended) and e.intent.role == "e" for e in self.events)


def kinds(events: tuple[Event, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


def only(events: tuple[Event, ...] | list[Event], kind: type[E]) -> E:
    """The one event of a kind."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) == 1, kinds(tuple(events))
    return found[0]
