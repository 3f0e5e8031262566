"""What the embedded exchange can be told, and nothing else.

One frozen value that the command line builds and the rest reads. ``check`` refuses what cannot
work before anything is opened, and says what to do instead.
"""

from decimal import Decimal
from math import inf
from pathlib import Path

import msgspec

from tradebaas.errors import ConfigError
from tradebaas.paper.credits import LOWEST_TIER, TIERS
from tradebaas.paper.keys import AccountConfig, Key, check_keys
from tradebaas.paper.market import GENERATED_HISTORY
from tradebaas.paper.mishaps import check_chances
from tradebaas.paper.readings import Readings
from tradebaas.paper.saved import MAIN
from tradebaas.paper.sessions import is_near

DEFAULT_SECRET = "paper-secret"
"""Of the main account's key; everybody knows it, so it is good on loopback only."""
MAX_SPEED = 300
"""Paced faster than this, an order's two seconds of ``valid_until`` would be under 200 ms real."""
MAX_BALANCE = Decimal(1_000_000_000)
MAX_SETTLEMENT_MS = 3_600_000
MAX_FEE = Decimal("0.01")
MAX_PREMIUM = Decimal("0.01")


class Windows(msgspec.Struct, frozen=True, kw_only=True):
    """How far back and how promptly the stores of ended orders and trades answer, in exchange ms.

    The recent store holds orders for ``orders_ms`` and trades for ``trades_ms``, the archive what
    is older. What happened less than ``recent_lag_ms`` ago is not in the recent store yet; what has
    left it is not in the archive for another ``archive_lag_ms``.
    """

    orders_ms: int = 30 * 60_000
    trades_ms: int = 24 * 3_600_000
    recent_lag_ms: int = 0
    archive_lag_ms: int = 0


class ExchangeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one exchange process.

    ``directory`` holds its journal, lock and address file. ``candles`` names a file to replay
    (``history`` of its rows are past at the start); without it the market is generated from
    ``seed``, with ``past`` minutes before its first start. ``speed`` is exchange seconds per real
    second; ``lockstep`` replaces it. ``idle_exit_s`` is real seconds without a client before it
    ends itself; 0 means never.
    ``start_ms`` fixes the exchange time of a first start (for tests); else it is the wall clock's,
    or the candle file's. Where neither fixes it, at speed 1, each start catches up with the wall
    clock. ``pause_s`` is how many real seconds lie between two steps of the market:
    what happens in between is executed at its own time and told late; None chooses by ``speed``.
    ``remembered`` is how many ended orders, and how many trades, can be asked for, and ``windows``
    in which store. ``settlement_ms`` is how long the books are closed from 08:00 UTC on; 0 = never.
    ``funding`` is the largest premium that a perpetual's funding is made of, a share; 0 = none.
    ``basis`` is how far the mark price may be from the index, a share; 0 = they are one.
    ``rate_limits`` ends the sessions of those who call too often for their ``tier``; never in
    lockstep, where time stands still. ``faults`` are those of ``mishaps`` by name, and the chance
    of each to meet a call that changes orders. ``accounts`` and ``keys`` are those beside the main
    account and its key. ``readings`` is how what nobody knows is taken.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    past: int = GENERATED_HISTORY
    candles: Path | None = None
    history: int = 0
    speed: float = 1.0
    lockstep: bool = False
    start_ms: int | None = None
    client_id: str = "paper"
    client_secret: str = DEFAULT_SECRET
    balance_btc: Decimal = Decimal(1)
    balance_usdc: Decimal = Decimal(50_000)
    maker_fee: Decimal = Decimal("0.00015")
    taker_fee: Decimal = Decimal("0.00035")
    max_leverage: int = 50
    token_ttl_s: int = 900
    idle_exit_s: float = 600.0
    admin: bool = False
    pause_s: float | None = None
    remembered: int = 50_000
    windows: Windows = Windows()
    settlement_ms: int = 0
    funding: Decimal = Decimal(0)
    basis: Decimal = Decimal(0)
    rate_limits: bool = True
    tier: int = LOWEST_TIER
    faults: dict[str, float] = {}
    accounts: tuple[AccountConfig, ...] = ()
    keys: tuple[Key, ...] = ()
    readings: Readings = Readings()

    @property
    def every_account(self) -> tuple[AccountConfig, ...]:
        """All accounts, the main one first."""
        main = AccountConfig(
            name=MAIN, balance_btc=self.balance_btc, balance_usdc=self.balance_usdc
        )
        return main, *self.accounts

    @property
    def every_key(self) -> tuple[Key, ...]:
        """All keys, that of the main account first."""
        return Key(client_id=self.client_id, secret=self.client_secret), *self.keys

    @property
    def rate(self) -> float:
        """Exchange seconds in a real one; in lockstep they pass alike until the market stops."""
        return 1.0 if self.lockstep else self.speed

    @property
    def real_time(self) -> bool:
        """Whether exchange time is the wall clock's: nothing fixes another time, or pace."""
        fixed = self.lockstep or self.candles is not None or self.start_ms is not None
        return self.speed == 1 and not fixed

    @property
    def market_pause_s(self) -> float:
        """Real seconds between two steps of the market."""
        if self.pause_s is not None:
            return self.pause_s
        return 0.05 if self.speed > 60 else 0.1


def check(config: ExchangeConfig) -> None:
    """Refuse settings that cannot work.

    Raises:
        ConfigError: naming the setting, what is wrong and what to do.
    """
    if not 0 < config.speed <= MAX_SPEED:
        raise ConfigError(
            f"speed {config.speed:g} is outside 0 < speed <= {MAX_SPEED}: any faster and an order "
            "would expire before it arrives. For the fastest exact replay use speed lockstep."
        )
    if config.client_secret == DEFAULT_SECRET and not stays_inside(config.host):
        raise ConfigError(
            f"host {config.host} can be reached from other machines, where everybody knows the "
            f"secret {DEFAULT_SECRET!r}: give the key {config.client_id!r} a secret of its own "
            "(--secret), or listen on 127.0.0.1"
        )
    if config.history < 0:
        raise ConfigError(f"history {config.history} is negative; give a number of rows, 0 or more")
    if config.history and config.candles is None:
        raise ConfigError("history counts rows of a candle file; give one with candles, or drop it")
    _check_money(config)
    check_chances(config.faults)
    if config.tier not in TIERS:
        raise ConfigError(f"tier {config.tier} is not one of {', '.join(map(str, TIERS))}")
    if not 1 <= config.max_leverage <= 50:
        raise ConfigError(f"max_leverage {config.max_leverage} is outside 1 to 50")
    check_keys(config.every_account, config.every_key)
    if config.pause_s is not None and not 0 < config.pause_s < inf:
        raise ConfigError(f"pause_s {config.pause_s:g} is not a number of seconds above 0")
    if config.remembered < 1:
        raise ConfigError(f"remembered {config.remembered} is no number of orders; give 1 or more")
    if not 0 <= config.settlement_ms <= MAX_SETTLEMENT_MS:
        raise ConfigError(
            f"settlement_ms {config.settlement_ms} is outside 0 to {MAX_SETTLEMENT_MS}, an hour"
        )
    if not 0 <= config.idle_exit_s < inf:
        raise ConfigError(
            f"idle_exit {config.idle_exit_s:g} is not a number of seconds; give 0 (never) or more"
        )


def stays_inside(host: str) -> bool:
    """Return whether nobody but this machine reaches an address."""
    return host == "localhost" or is_near(host)


def _check_money(config: ExchangeConfig) -> None:
    for account in config.every_account:
        for name in ("balance_btc", "balance_usdc"):
            balance: Decimal = getattr(account, name)
            if not balance.is_finite() or not 0 <= balance <= MAX_BALANCE:
                whose = f"account {account.name!r}: " if account.name != MAIN else ""
                raise ConfigError(
                    f"{whose}{name} {balance} is not a number from 0 to {MAX_BALANCE}"
                )
    for name in ("funding", "basis"):
        share: Decimal = getattr(config, name)
        if not share.is_finite() or not 0 <= share <= MAX_PREMIUM:
            raise ConfigError(f"{name} {share} is not a share from 0 to {MAX_PREMIUM}")
    for name in ("maker_fee", "taker_fee"):
        fee: Decimal = getattr(config, name)
        if not fee.is_finite() or not -MAX_FEE <= fee <= MAX_FEE:
            raise ConfigError(f"{name} {fee} is not a share from -{MAX_FEE} to {MAX_FEE}")
