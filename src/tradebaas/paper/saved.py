"""What an exchange must remember besides its orders and trades, to go on after a restart."""

from decimal import Decimal
from typing import Literal

import msgspec

from tradebaas.paper.accounts import Account
from tradebaas.paper.tape import TapeState

MAIN = ""
"""The name of the account that every exchange has."""


SelfTrading = Literal["reject_taker", "cancel_maker"]
"""What happens to an order that would trade with its own account's: it is refused, or the other one
is cancelled."""


class Counters(msgspec.Struct, kw_only=True):
    """The next number of each kind of id, for all accounts together."""

    created: int = 1
    queue: int = 1
    order: int = 90_000_000_001
    trigger: int = 7_001
    secondary: int = 5_001
    oco: int = 71_001
    trade: int = 410_000_001
    trade_seq: int = 1
    transaction: int = 61_001
    login: int = 1


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that somebody tried with a key of an account; ``log`` is success or failure."""

    id: int
    timestamp: int
    ip: str
    log: str


class SavedAccount(msgspec.Struct, kw_only=True):
    """One account by its name.

    ``account_id`` is drawn once, so that a ledger that was made anew has other accounts;
    ``user_id`` is what orders name their account by. ``exposures`` and ``balances`` are what the
    journal was last told, ``transactions`` how many rows the transaction log has had.
    """

    name: str
    account_id: int
    user_id: int
    account: Account
    cod_default: bool = False
    self_trading: SelfTrading = "reject_taker"
    exposures: dict[str, tuple[Decimal, Decimal]] = {}
    balances: dict[str, Decimal] = {}
    transactions: int = 0
    logins: list[Login] = []
    """The newest of them, the oldest first."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What all accounts together were settled in an instrument."""

    instrument_name: str
    at_ms: int
    mark: Decimal
    index: Decimal
    position: Decimal
    profit: Decimal
    funding: Decimal


class SavedState(msgspec.Struct, kw_only=True):
    """Everything besides orders and trades that a restart needs; the main account comes first."""

    source: str
    tape: TapeState
    accounts: list[SavedAccount] = []
    counters: Counters = msgspec.field(default_factory=Counters)
    next_record: int = 1
    next_session: int = 1
    settled_ms: int | None = None
    """When the last settlement was, None where no exchange has been made of this yet."""
    settlements: list[Settlement] = []
    """The newest of them, the oldest first."""
    depth: dict[str, Decimal] = {}
    connected: dict[int, bool] = {}
    """The connections, and whether their orders end with them."""
