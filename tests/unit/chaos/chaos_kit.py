"""Hand-made ledgers for the oracle's tests: a log and a journal that agree, to be bent in places.

The story: a life starts, connects, reads the account, is armed, sees a signal, intends an entry of
1000, which fills at the exchange with its stop and take, and is closed by its stop.
"""

from collections.abc import Sequence
from decimal import Decimal

from chaos.world.books import Books
from chaos.world.ledger import (
    AdminRow,
    BalanceRow,
    Body,
    JournalRow,
    LogRow,
    OrderRow,
    PositionRow,
    RequestRow,
    SessionRow,
    TradeRow,
)
from chaos.world.story import Story
from tradebaas.core.events import (
    Armed,
    Event,
    Filled,
    LifeStarted,
    Linked,
    OrderIntended,
    OrderUpdated,
    Reconciled,
    SignalDetected,
    TradeClosed,
)
from tradebaas.core.model import (
    Assignment,
    ContractKind,
    Direction,
    Fill,
    Intent,
    Leg,
    Order,
    Role,
    Signal,
)
from tradebaas.core.position import trade_of

D = Decimal
NAME = "BTC-PERPETUAL"
T = 1_700_000_000_000
ENTRY, STOP, TAKE = "tb1-aa-6-e", "tb1-aa-6-s", "tb1-aa-6-t"
SIGNAL = Signal(
    signal_id="sig",
    stream="stream",
    instrument=NAME,
    direction=Direction.BUY,
    candle_ms=T,
    timeframe_ms=60_000,
    entry=D(50_000),
    stop=D(49_000),
    take=D(52_000),
)
ASSIGNMENT = Assignment(strategy="s", parameters={}, instrument=NAME, timeframe="1m")


def intent(
    label: str = ENTRY, signal_id: str = "sig", connection: int = 1, life: int = 1
) -> Intent:
    stem = label[:-1]
    return Intent(
        label=label,
        role=Role.ENTRY,
        instrument=NAME,
        direction=Direction.BUY,
        amount=D(1000),
        order_type="limit",
        reduce_only=False,
        life=life,
        connection=connection,
        intended_ms=T + 5,
        valid_until_ms=T + 2005,
        price=D(50_010),
        signal_id=signal_id,
        legs=(
            Leg(label=stem + "s", order_type="stop_market", trigger_price=D(49_000)),
            Leg(label=stem + "t", order_type="limit", price=D(52_000)),
        ),
    )


def order(order_id: str, label: str, state: str = "untriggered", **more: object) -> Order:
    fields: dict[str, object] = {
        "order_id": order_id,
        "label": label,
        "instrument": NAME,
        "direction": Direction.SELL,
        "order_type": "stop_market",
        "state": state,
        "amount": D(1000),
        "reduce_only": True,
        "created_ms": T + 10,
        "updated_ms": T + 10,
        **more,
    }
    if fields["order_type"] == "stop_market":
        fields.setdefault("trigger_price", D(49_000))
    return Order(**fields)  # type: ignore[arg-type]


def fill(number: int, direction: Direction, price: str, label: str, at_ms: int) -> Fill:
    return Fill(
        trade_id=f"BTC-{number}",
        order_id=f"o{number}",
        label=label,
        instrument=NAME,
        contract=ContractKind.INVERSE,
        direction=direction,
        amount=D(1000),
        price=D(price),
        fee=D("0.000007"),
        currency="BTC",
        at_ms=at_ms,
    )


def begun(life: int = 1) -> list[Event]:
    """A life that has reconciled and is armed."""
    return [
        LifeStarted(life=life, token="aa", wall_ms=T),
        Linked(connection=1, account="me"),
        Reconciled(connection=1, read_ms=T + 2),
        Armed(assignment=ASSIGNMENT),
    ]


def entered() -> list[Event]:
    """As ``begun``, and the entry has filled, with its legs live."""
    return [
        *begun(),
        SignalDetected(signal=SIGNAL),
        OrderIntended(intent=intent()),
        Filled(fill=fill(1, Direction.BUY, "50000", ENTRY, T + 10)),
        OrderUpdated(
            order=order(
                "e1", ENTRY, "filled", direction=Direction.BUY, order_type="limit", filled=D(1000),
                reduce_only=False,
            )
        ),
        OrderUpdated(order=order("SL-1", STOP)),
        OrderUpdated(order=order("t1", TAKE, "open", order_type="limit")),
    ]  # fmt: skip


def closed() -> list[Event]:
    """As ``entered``, and the stop has closed the position."""
    events: list[Event] = [
        *entered(),
        Filled(fill=fill(2, Direction.SELL, "49000", STOP, T + 20)),
    ]
    position = told(events).state.position
    assert position is not None
    return [
        *events,
        TradeClosed(trade=trade_of(position, 1)),
        OrderUpdated(order=order("SL-1", STOP, "triggered", updated_ms=T + 20)),
        OrderUpdated(order=order("t1", TAKE, "cancelled", updated_ms=T + 20)),
    ]


def log(events: list[Event]) -> list[LogRow]:
    return [LogRow(n, 1, event, bytes([n]) * 32) for n, event in enumerate(events, start=1)]


def told(events: list[Event]) -> Story:
    story = Story()
    story.take(log(events))
    return story


# ----------------------------------------------------------------------------- the exchange's side


def order_row(order_id: str, label: str, state: str = "untriggered", **more: object) -> OrderRow:
    fields: dict[str, object] = {
        "order_id": order_id,
        "order_state": state,
        "order_type": "stop_market",
        "instrument_name": NAME,
        "direction": "sell",
        "amount": D(1000),
        "label": label,
        "reduce_only": True,
        **more,
    }
    if fields["order_type"] == "stop_market":
        fields.setdefault("trigger_price", D(49_000))
    return OrderRow(**fields)  # type: ignore[arg-type]


def trade_row(
    number: int,
    direction: str,
    price: str,
    label: str,
    at_ms: int,
    profit: str,
    amount: str = "1000",
) -> TradeRow:
    return TradeRow(
        trade_id=f"BTC-{number}",
        instrument_name=NAME,
        timestamp=at_ms,
        order_id=f"o{number}",
        direction=direction,
        price=D(price),
        amount=D(amount),
        fee=D("0.000007"),
        profit_loss=D(profit),
        fee_currency="BTC",
        label=label,
    )


def request_row(label: str = ENTRY, session: int = 1, **params: object) -> RequestRow:
    legs = [label[:-1] + "s", label[:-1] + "t"] if label.endswith("e") else []
    outcome: dict[str, object] = {"order": {"order_id": "e1"}}
    return RequestRow(session, "private/buy", label, legs, {"amount": 1000, **params}, outcome)


def cancel_row(order_id: str) -> RequestRow:
    return RequestRow(1, "private/cancel", "", [], {"order_id": order_id}, {"order": {}})


def logged_in() -> list[tuple[int, Body]]:
    return [(T, SessionRow(1, "connect")), (T + 1, SessionRow(1, "login"))]


def entered_rows() -> list[tuple[int, Body]]:
    """The exchange's side of ``entered``."""
    return [
        *logged_in(),
        (T + 10, order_row("SL-1", STOP)),
        (T + 10, order_row("t1", TAKE, "open", order_type="limit")),
        (T + 10, trade_row(1, "buy", "50000", ENTRY, T + 10, "0")),
        (T + 10, PositionRow(NAME, D(1000), D(1000), D(50_000))),
        (T + 10, BalanceRow("BTC", D("0.999993"))),
        (T + 10, request_row()),
    ]


def closed_rows() -> list[tuple[int, Body]]:
    """The exchange's side of ``closed``; the profit is 0.02 - 1000/49000, to 12 digits."""
    return [
        *entered_rows(),
        (T + 20, order_row("SL-1", STOP, "triggered")),
        (T + 20, order_row("t1", TAKE, "cancelled", order_type="limit")),
        (T + 20, trade_row(2, "sell", "49000", STOP, T + 20, "-0.000408163265")),
        (T + 20, PositionRow(NAME, D(0), D(0))),
        (T + 20, BalanceRow("BTC", D("0.999577836735"))),
    ]


def booked(rows: Sequence[tuple[int, Body]]) -> Books:
    books = Books()
    books.take(JournalRow(n, at, body) for n, (at, body) in enumerate(rows, start=1))
    return books


def admin_row(method: str) -> AdminRow:
    return AdminRow(method, {}, {})
