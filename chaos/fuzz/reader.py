"""What the daemon does with a frame, all of it: decoded, understood, and taken by the core.

``read`` returns in a word what became of the frame. It lets through whatever is not caught where a
session reads: that exception would have ended a life, and the same frame the next one.
"""

from decimal import Decimal
from typing import Any, assert_never

import msgspec
from msgspec import Raw

from tradebaas.core.decide import Decision, decide
from tradebaas.core.facts import Fact, FillFact, FrameFact, OrderFact
from tradebaas.core.messages import Arm, Link, Refused, Report, StartLife
from tradebaas.core.model import Assignment, ContractKind, Direction, Position
from tradebaas.core.risk import Limits
from tradebaas.core.state import State
from tradebaas.deribit import convert, rpc, stream, wire
from tradebaas.deribit.convert import CANNOT_READ, Contracts
from tradebaas.deribit.histories import read_orders
from tradebaas.store import codec
from tradebaas.store.records import NewRecord

NOW_MS = 1_790_000_000_000
LIMITS = Limits()
INVERSE = ContractKind.INVERSE
READERS: tuple[Any, ...] = (
    read_orders,
    lambda raw: convert.instrument(wire.parse(raw, wire.Instrument)),
    lambda raw: convert.ticker(wire.parse(raw, wire.Ticker)),
    lambda raw: convert.candles(wire.parse(raw, wire.Chart), INVERSE),
    lambda raw: convert.account(wire.parse(raw, wire.Summary)),
    lambda raw: convert.allowed(wire.parse(raw, wire.Summary)),
    lambda raw: convert.order(wire.parse(raw, wire.Placed).order),
    lambda raw: convert.order(wire.parse(raw, wire.Order)),
    lambda raw: convert.bundle((), wire.parse(raw, list[wire.Trade]), Contracts()),
    lambda raw: [convert.trigger_entry(e) for e in wire.parse(raw, wire.TriggerHistory).entries],
    lambda raw: [convert.position(item, INVERSE) for item in wire.parse(raw, list[wire.Position])],
    lambda raw: wire.parse(raw, wire.Tokens),
    lambda raw: wire.parse(raw, wire.Hello),
    lambda raw: wire.parse(raw, wire.Status),
    lambda raw: wire.parse(raw, wire.CancelOnDisconnect),
    lambda raw: wire.parse(raw, int),
)
"""Whatever a call makes of its result."""


def state_with_a_position() -> State:
    """A life that holds what a frame may speak of."""
    state = State()
    assignment = Assignment(strategy="x", parameters={}, instrument="BTC-PERPETUAL", timeframe="1m")
    for request in (
        StartLife(token="aa", wall_ms=0, cause="", poisoned=False, halt_file=""),
        Link(connection=1, up=True, account="me"),
        Arm(assignment=assignment),
    ):
        decision = decide(state, request, LIMITS)
        assert isinstance(decision, Decision)
        state = decision.state
    position = Position(
        instrument="BTC-PERPETUAL", contract=INVERSE, currency="BTC", size=Decimal(1000),
        direction=Direction.BUY, ours=True, signal_id="s", opened_ms=NOW_MS, changed_ms=NOW_MS,
        entry_amount=Decimal(1000), entry_value=Decimal("0.0125"),
    )  # fmt: skip
    return msgspec.structs.replace(state, position=position, reconciled=1)


def read(frame: str | bytes, state: State) -> str:
    """Take a frame as a session does, in a state.

    Raises:
        Exception: what would have ended the life.
    """
    found = rpc.decode(frame)
    match found:
        case rpc.Notification():
            return _notified(found, state)
        case rpc.Answer(result=result):
            return "understood" if _understood(result) else "refused by its reader"
        case rpc.Garbage(raw=raw, reason=reason):
            _take((FrameFact(raw=raw, reason=reason),), state)
            return "no frame"
        case rpc.Failure() | rpc.Heartbeat():
            return "understood"
        case _:
            assert_never(found)


def _notified(note: rpc.Notification, state: State) -> str:
    item = stream.decode(note, Contracts())
    stream.stamp_ms(item)
    match item:
        case stream.Changes(orders=orders, fills=fills):
            facts: list[Fact] = [FillFact(fill=fill) for fill in fills]
            facts += [OrderFact(order=order) for order in orders]
            _take(tuple(facts), state)
            return "taken by the core"
        case stream.Unreadable(raw=raw, reason=reason):
            _take((FrameFact(raw=raw, reason=reason),), state)
            return "refused by its reader"
        case (
            stream.TickerTick()
            | stream.BarTick()
            | stream.AccountTick()
            | stream.Maintenance()
            | None
        ):
            return "understood"
        case _:
            assert_never(item)


def _take(facts: tuple[Fact, ...], state: State) -> None:
    """What the persister makes of them; it may refuse no fact."""
    decision = decide(state, Report(connection=1, at_ms=NOW_MS, facts=facts), LIMITS)
    assert not isinstance(decision, Refused)
    for event in decision.events:
        kind, version, body = codec.encode(event)
        codec.decode(NewRecord(at_ms=0, life=1, kind=kind, version=version, body=body))


def _understood(result: Raw) -> bool:
    """Whether any reader makes sense of a result; each may refuse it, none may fall over it."""
    understood = False
    for reader in READERS:
        try:
            reader(result)
            understood = True
        except CANNOT_READ:
            continue
    return understood
