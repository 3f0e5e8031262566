"""The nouns of the domain: instruments, orders, fills, positions, signals, trades.

Everything here is an immutable value. Money, prices and sizes are ``Decimal``; times are
exchange time in milliseconds since the epoch (``*_ms``) unless a name says otherwise. Sizes of
positions are signed (negative is short); amounts of orders and fills are positive and carry a
direction. An *amount* is in USD for inverse contracts and in base coin for linear ones, as the
exchange defines it. Nothing here may read a clock, do I/O, or know how a message looks on the wire.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from msgspec import Struct

LABEL_PREFIX = "tb1-"
ZERO = Decimal(0)
_COIN = Decimal("1e-12")


class Direction(StrEnum):
    """Side of an order, a fill or a signal, in the exchange's words."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Direction":
        return Direction.SELL if self is Direction.BUY else Direction.BUY

    @property
    def sign(self) -> int:
        return 1 if self is Direction.BUY else -1


class ContractKind(StrEnum):
    """How profit is computed: in coin of 1/price (inverse) or in quote currency (linear)."""

    INVERSE = "inverse"
    LINEAR = "linear"


class Role(StrEnum):
    """What an order of ours is for; the last letter of its label."""

    ENTRY = "e"
    STOP = "s"
    TAKE = "t"
    CLOSE = "c"


class Phase(StrEnum):
    """The six lifecycle states; names as in the predecessor."""

    IDLE = "IDLE"
    ANALYZING = "ANALYZING"
    SIGNAL_DETECTED = "SIGNAL_DETECTED"
    ENTERING_POSITION = "ENTERING_POSITION"
    POSITION_OPEN = "POSITION_OPEN"
    CLOSING = "CLOSING"


class Instrument(Struct, frozen=True, kw_only=True):
    """A contract as the exchange describes it today; not ``is_open``: it takes no orders now."""

    name: str
    kind: ContractKind
    currency: str  # settlement currency, in which equity, fees and P&L are counted
    tick_size: Decimal
    amount_step: Decimal
    min_amount: Decimal
    max_leverage: Decimal
    taker_commission: Decimal
    is_open: bool = True


class Candle(Struct, frozen=True):
    """A closed bar; ``open_ms`` is the start of its interval."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Ticker(Struct, frozen=True, kw_only=True):
    """The best prices and the marks, as last published."""

    at_ms: int
    bid: Decimal
    ask: Decimal
    mark: Decimal
    index: Decimal


class Account(Struct, frozen=True, kw_only=True):
    """Equity and free funds in the settlement currency."""

    currency: str
    equity: Decimal
    available: Decimal


class Market(Struct, frozen=True, kw_only=True):
    """All that a strategy and the admission see of the outside; volatile, never stored.

    ``candles`` are closed bars, oldest first. ``at_ms`` is the exchange's clock when this value
    was made. ``rate`` is how many exchange milliseconds pass in a real one (1 at Deribit).
    """

    connection: int
    at_ms: int
    instrument: Instrument
    timeframe_ms: int
    candles: tuple[Candle, ...]
    ticker: Ticker
    account: Account
    rate: Decimal = Decimal(1)


class Signal(Struct, frozen=True, kw_only=True):
    """What a strategy wants: an entry with its stop and its take profit.

    ``signal_id`` is a hash of (strategy, parameters, instrument, timeframe, candle, side), so the
    same closed candle after a restart is the same signal.
    """

    signal_id: str
    stream: str  # hash of the same without candle and side
    instrument: str
    direction: Direction
    candle_ms: int
    timeframe_ms: int
    entry: Decimal
    stop: Decimal
    take: Decimal
    reasons: tuple[str, ...] = ()


class Assignment(Struct, frozen=True, kw_only=True):
    """The strategy an operator armed, with everything that defines its signals."""

    strategy: str
    parameters: dict[str, str]
    instrument: str
    timeframe: str


class Order(Struct, frozen=True, kw_only=True):
    """An order of ours as the exchange last described it.

    ``waiting`` marks a secondary of a bracket whose primary has not filled: it protects nothing.
    ``duty`` is what an order of the owner's does for us, once it is adopted. The ids of others and
    ``oco_ref`` tell its family (see ``families``); any of them may be missing.
    """

    order_id: str
    label: str
    instrument: str
    direction: Direction
    order_type: str
    state: str
    amount: Decimal
    filled: Decimal = ZERO
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    reduce_only: bool = False
    waiting: bool = False
    trigger_order_id: str | None = None
    primary_order_id: str | None = None
    oto_order_ids: tuple[str, ...] = ()
    oco_ref: str | None = None
    created_ms: int = 0
    updated_ms: int = 0
    cancel_reason: str = ""
    duty: Role | None = None

    @property
    def live(self) -> bool:
        """True unless the state is terminal; an unknown state counts as live."""
        return self.state not in _TERMINAL

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled

    @property
    def role(self) -> Role | None:
        return role_of(self.label) or self.duty


GONE = "gone"
"""Our own word for the state of an order that is not listed any more: how it ended is not known."""
LIVE = frozenset({"open", "untriggered"})
"""The states of live orders that are known; any other counts as live unless it is terminal."""
_TERMINAL = frozenset({"filled", "rejected", "cancelled", "triggered", GONE})


class Fill(Struct, frozen=True, kw_only=True):
    """One execution on the account; ``fee`` is positive when paid."""

    trade_id: str
    order_id: str
    label: str
    instrument: str
    contract: ContractKind
    direction: Direction
    amount: Decimal
    price: Decimal
    fee: Decimal
    currency: str
    at_ms: int
    liquidation: bool = False

    @property
    def key(self) -> str:
        """What tells repeats apart: trade ids are unique per currency only."""
        return f"{self.instrument}/{self.trade_id}"

    @property
    def reduces(self) -> bool:
        """True for a stop, take profit or close of ours: reduce-only, so it opened nothing."""
        role = role_of(self.label)
        return role is not None and role is not Role.ENTRY


class Position(Struct, frozen=True, kw_only=True):
    """The open position folded from fills since the account was last flat.

    ``entry_value`` and ``exit_value`` are sums of ``fill_value`` over opening and reducing fills.
    ``ours`` is False for a position that the account's owner opened: it is left alone. The sign of
    ``size`` differs from ``direction`` only while a fill of the entry is missing that must exist.
    """

    instrument: str
    contract: ContractKind
    currency: str
    size: Decimal
    direction: Direction
    ours: bool
    signal_id: str
    opened_ms: int
    changed_ms: int
    entry_amount: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_amount: Decimal = ZERO
    exit_value: Decimal = ZERO
    fees: Decimal = ZERO
    exit_reason: str = ""
    corrected: bool = False

    @property
    def open_amount(self) -> Decimal:
        """How much is open in ``direction``; negative while entry fills are missing."""
        return self.size * self.direction.sign


class Trade(Struct, frozen=True, kw_only=True):
    """A position from flat to flat, by the exchange's own fills.

    ``net`` = ``gross`` - ``fees`` - ``funding``, which is that of the rows known so far.
    ``naked_ms`` is how long it had no full stop, as far as anybody saw.
    """

    number: int
    signal_id: str
    instrument: str
    direction: Direction
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_ms: int
    closed_ms: int
    gross: Decimal
    fees: Decimal
    net: Decimal
    currency: str
    exit_reason: str
    ours: bool
    naked_ms: int = 0
    funding: Decimal = ZERO


class Leg(Struct, frozen=True, kw_only=True):
    """A secondary of a bracket order: the stop or the take profit, reduce-only."""

    label: str
    order_type: str
    price: Decimal | None = None
    trigger_price: Decimal | None = None


class Intent(Struct, frozen=True, kw_only=True):
    """An order that is durable and may be sent once, by this life on this connection.

    ``valid_until_ms`` is exchange time after which the exchange refuses it, which makes "never
    arrived" provable.
    """

    label: str
    role: Role
    instrument: str
    direction: Direction
    amount: Decimal
    order_type: str
    reduce_only: bool
    life: int
    connection: int
    intended_ms: int
    valid_until_ms: int
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    signal_id: str = ""
    legs: tuple[Leg, ...] = ()


class Moved(Struct, frozen=True, kw_only=True):
    """Where the stop of a position was moved to."""

    instrument: str
    direction: Direction
    stop: Decimal


class Edit(Struct, frozen=True, kw_only=True):
    """A change of a live stop that is durable, and may be sent by this life on this connection.

    ``amount`` is that of the order: an edit has to repeat it.
    """

    order_id: str
    amount: Decimal
    trigger_price: Decimal
    life: int
    connection: int
    intended_ms: int
    valid_until_ms: int


class Absence(Struct, frozen=True, kw_only=True):
    """Evidence that an order is not at the exchange: what was read, and when by its own clock.

    ``read_ms`` is the earliest ``usIn`` (in ms) among the reads named in ``sources``;
    ``first_read_ms`` the same of an earlier look into all of them (0: there was none).
    ``position`` is the signed size that was read of the order's instrument.
    """

    label: str
    read_ms: int
    sources: tuple[str, ...]
    position: Decimal | None = None
    first_read_ms: int = 0


def role_of(label: str) -> Role | None:
    """The role of one of our labels, or None when the label is not ours."""
    if not label.startswith(LABEL_PREFIX):
        return None
    suffix = label.rsplit("-", 1)[-1]
    return _ROLES.get(suffix)


_ROLES = {role.value: role for role in Role}


def is_ours(label: str) -> bool:
    """Whether a label marks an order of this program, even one of a lost store."""
    return label.startswith(LABEL_PREFIX)


def fill_value(contract: ContractKind, amount: Decimal, price: Decimal) -> Decimal:
    """Value of a fill in settlement currency.

    Inverse: amount / price, in coin, rounded half-even to the exchange's 12 decimals
    (protocol dossier section 13). Linear: amount x price, exact.
    """
    match contract:
        case ContractKind.INVERSE:
            return (amount / price).quantize(_COIN, ROUND_HALF_EVEN)
        case ContractKind.LINEAR:
            return amount * price
