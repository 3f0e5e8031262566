"""tradebaas.toml -> one frozen ``Config``, or a clear error that names key, line and the remedy.

Secrets never come from the file (see ``access``). With no file at all the daemon trades on the
embedded exchange, with a fast market and the built-in strategy: a new user sees the whole at once.
"""

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tradebaas.errors import ConfigError
from tradebaas.settings import (
    BackupSection,
    LogSection,
    NoticesSection,
    backup_rules,
    log_rules,
    notice_rules,
)

EMBEDDED = "embedded"
HOSTS = {
    "mainnet": "wss://www.deribit.com/ws/api/v2",
    "testnet": "wss://test.deribit.com/ws/api/v2",
}
SCOPE = "connection trade:read_write account:read_write"
MAX_SPEED = 300
"""The fastest that the embedded exchange paces (``paper.config`` says why)."""
EMBEDDED_INSTRUMENTS = ("BTC-PERPETUAL", "BTC_USDC-PERPETUAL")
"""All that the embedded exchange lists (``paper.instruments``)."""
FOREIGN = ("quarantine", "adopt", "close")
"""What may become of what is not ours (``core.risk.Policy``)."""
FUTURE = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?-(PERPETUAL|[0-9]{1,2}[A-Z]{3}[0-9]{2})")
"""The names of Deribit's futures: BTC-PERPETUAL, ETH_USDC-PERPETUAL, BTC-27DEC24."""


class ExchangeSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where orders go. ``environment`` is embedded, testnet or mainnet; ``url`` overrides it.

    ``scope`` is what a login asks for; a key that has less grants less. Without account:read_write
    an account-wide cancel-on-disconnect cannot be switched off, and nothing is opened; nor while
    this machine's clock is further than ``max_skew_seconds`` from the exchange's.
    """

    environment: str = EMBEDDED
    url: str = ""
    client_id: str = "paper"
    grant: str = "client_signature"
    scope: str = SCOPE
    max_skew_seconds: float = 30.0


class AuditSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key of ``tradebaas audit``, on the same account: one that may read and nothing else.

    "" is for the embedded exchange only, which has one key.
    """

    client_id: str = ""


class EmbeddedSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange that ``run`` starts when the environment is embedded.

    ``speed`` is exchange seconds per real second, or "lockstep".
    """

    speed: float | str = 60.0
    seed: int = 1
    candles: str = ""
    history: int = 0
    idle_exit_seconds: float = 600.0


class StrategySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The strategy that ``start`` arms; ``autostart`` arms it on the first start of a store.

    What is wrong with it shows only when the strategy is loaded, so the section remembers its file
    (beside its fields, since that is no setting).
    """

    name: str = "ma_cross"
    instrument: str = "BTC-PERPETUAL"
    timeframe: str = "1m"
    autostart: bool = False
    parameters: dict[str, int | float | str] = {}

    def read_from(self, text: str, origin: str) -> None:
        """Remember the file that this section was read from."""
        self.__dict__["source"] = (text, origin)

    def place(self, key: str) -> str:
        """ "FILE, line N" of a key of this section; "the configuration" when there is no file."""
        text, origin = self.__dict__.get("source", ("", "the configuration"))
        return f"{origin}{_line_of(text, key, 'strategy')}"


class RiskSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of ``core.risk.Limits`` that an owner sets; percent are of equity."""

    risk_percent: Decimal = Decimal(1)
    max_leverage: Decimal = Decimal(5)
    max_amount: Decimal | None = None
    max_entries_per_day: int = 200
    max_daily_loss_percent: Decimal = Decimal(5)
    slippage_percent: Decimal = Decimal("0.05")
    adopted_stop_percent: Decimal = Decimal(2)
    validity_ms: int = 2_000
    price_age_ms: int = 5_000
    naked_ms: int = 2_000


class ForeignSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of orders and positions that are not ours: quarantine, adopt or close."""

    orders: str = "quarantine"
    positions: str = "quarantine"


class StoreSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``snapshot_every`` events one snapshot: what a start has to replay at most.

    With less than ``low_disk_mib`` of free space nothing is opened; 0 looks for nothing.
    """

    snapshot_every: int = 500
    low_disk_mib: int = 128


class SupervisorSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many crew deaths within ``period_seconds`` end the process (``runtime.supervisor``)."""

    deaths: int = 4
    period_seconds: float = 300.0
    forgive_seconds: float = 120.0


class HttpSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where health, metrics and the API answer."""

    host: str = "127.0.0.1"
    port: int = 3000


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the daemon is told; see each section."""

    data: str = "data"
    exchange: ExchangeSection = ExchangeSection()
    audit: AuditSection = AuditSection()
    embedded: EmbeddedSection = EmbeddedSection()
    strategy: StrategySection = StrategySection()
    risk: RiskSection = RiskSection()
    foreign: ForeignSection = ForeignSection()
    store: StoreSection = StoreSection()
    backups: BackupSection = BackupSection()
    supervisor: SupervisorSection = SupervisorSection()
    http: HttpSection = HttpSection()
    notices: NoticesSection = NoticesSection()
    log: LogSection = LogSection()

    @property
    def data_dir(self) -> Path:
        return Path(self.data)

    @property
    def embedded_exchange(self) -> bool:
        """Whether the daemon trades on the exchange that it starts itself."""
        return self.exchange.environment == EMBEDDED and not self.exchange.url


DEMO = Config(
    risk=RiskSection(risk_percent=Decimal("0.25"), max_entries_per_day=1000),
    strategy=StrategySection(
        autostart=True,
        parameters={"fast": 3, "slow": 8, "atr_length": 5, "stop_atr": "1", "reward": "1"},
    ),
)
"""What ``run`` without a file does: a fast market in which positions open and close in seconds."""


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: naming the file, the line and the key, and the nearest valid key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check the path given") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    return parse(raw, text, str(path))


def parse(raw: Mapping[str, object], text: str = "", origin: str = "configuration") -> Config:
    """Check a parsed file and build the ``Config``; see ``load``."""
    _refuse_unknown(raw, Config, text, origin)
    try:
        config = msgspec.convert(raw, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}{_where(text, str(error))}: {error}") from error
    _check(config, text, origin)
    strategy = msgspec.structs.replace(config.strategy)  # the default one belongs to all
    strategy.read_from(text, origin)
    return msgspec.structs.replace(config, strategy=strategy)


def instrument_fault(config: Config, name: str) -> str:
    """Why ``name`` cannot be traded on the configured exchange; "" when nothing speaks against it.

    What Deribit lists changes daily and is its own to say; only the form of a name is judged here.
    """
    if config.exchange.environment != EMBEDDED:
        if FUTURE.fullmatch(name):
            return ""
        return f"{name!r} is no name of a future; write it as Deribit does, like BTC-PERPETUAL"
    if name in EMBEDDED_INSTRUMENTS:
        return ""
    near = difflib.get_close_matches(name, EMBEDDED_INSTRUMENTS, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    known = ", ".join(EMBEDDED_INSTRUMENTS)
    return f"the embedded exchange has no instrument {name!r}; {hint}known: {known}"


def _refuse_unknown(raw: Mapping[str, object], shape: type[Struct], text: str, origin: str) -> None:
    for section, key, known in _unknown_keys(raw, shape):
        name = f"{section}.{key}" if section else key
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        line = _line_of(text, key, section)
        raise ConfigError(f"{origin}{line}: unknown key {name!r}; {hint}")


def _unknown_keys(
    raw: Mapping[str, object], shape: type[Struct]
) -> Iterator[tuple[str, str, list[str]]]:
    sections = {f.name: f.type for f in msgspec.structs.fields(shape)}
    for key, value in raw.items():
        if key not in sections:
            yield "", key, list(sections)
        elif isinstance(value, Mapping) and issubclass(sections[key], Struct):
            known = [f.name for f in msgspec.structs.fields(sections[key])]
            yield from ((key, inner, known) for inner in value if inner not in known)


def _line_of(text: str, key: str, section: str = "") -> str:
    """ ", line N" of a key in the file, else of its section; "" when neither can be found."""
    wanted = f"{section}.{key}" if section else key
    for number, path in _paths(text):
        if path == wanted or path.startswith(f"{wanted}."):
            return f", line {number}"
    above = wanted.rpartition(".")[0]
    return _line_of(text, above) if above else ""


def _paths(text: str) -> Iterator[tuple[int, str]]:
    """(line, full dotted key) of every table header and every assignment of a file."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.partition("#")[0].strip()
        if stripped.startswith("["):
            table = _dotted(stripped.strip("[]"))
            yield number, table
        elif "=" in stripped:
            key = _dotted(stripped.partition("=")[0])
            yield number, f"{table}.{key}" if table else key


def _dotted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _where(text: str, message: str) -> str:
    """The line of the key that a validation message names as ``$.section.key``."""
    path = message.rpartition("$.")[2].strip("`.") if "$." in message else ""
    section, _, key = path.rpartition(".")
    return _line_of(text, key, section) if key else ""


def _check(config: Config, text: str, origin: str) -> None:
    for section, key, good, rule in _rules(config):
        if not good:
            line = _line_of(text, key, section)
            raise ConfigError(f"{origin}{line}: {section}.{key} {rule}")


def is_safe(url: str) -> bool:
    """Whether orders may be sent there: encrypted, or to an address that no stranger sees."""
    parts = urlsplit(url)
    if not url or parts.scheme == "wss":
        return True
    try:
        near = ipaddress.ip_address(parts.hostname or "").is_private
    except ValueError:
        near = parts.hostname == "localhost"
    return parts.scheme == "ws" and near


def _rules(config: Config) -> Iterator[tuple[str, str, bool, str]]:
    environment = config.exchange.environment
    known = ", ".join((EMBEDDED, *HOSTS))
    yield "exchange", "environment", environment in (EMBEDDED, *HOSTS), f"must be one of {known}"
    grants = ("client_signature", "client_credentials")
    known = ", ".join(grants)
    yield "exchange", "grant", config.exchange.grant in grants, f"must be one of {known}"
    scope = config.exchange.scope.split()
    asks = not scope or "trade:read_write" in scope
    yield (
        "exchange",
        "scope",
        asks,
        'must ask for trade:read_write, or be "" for all that a key has',
    )
    yield (
        "exchange",
        "url",
        is_safe(config.exchange.url),
        (
            "must be a wss:// address; ws:// is for this machine and private networks only, since "
            "orders and tokens would cross the internet in the clear"
        ),
    )
    skew_s = config.exchange.max_skew_seconds
    yield "exchange", "max_skew_seconds", 1 <= skew_s <= 3600, "must be 1 to 3600"
    own_key = environment == EMBEDDED or config.exchange.client_id not in ("", "paper")
    yield "exchange", "client_id", own_key, f"must be the id of your API key for {environment}"
    yield from _embedded_rules(config.embedded)
    yield from _risk_rules(config.risk)
    for name in ("orders", "positions"):
        possible = getattr(config.foreign, name) in FOREIGN
        yield "foreign", name, possible, f"must be one of {', '.join(FOREIGN)}"
    yield "store", "snapshot_every", config.store.snapshot_every >= 1, "must be at least 1"
    yield "store", "low_disk_mib", config.store.low_disk_mib >= 0, "must be 0 or more"
    yield from backup_rules(config.backups)
    supervisor = config.supervisor
    yield "supervisor", "deaths", supervisor.deaths >= 0, "must be 0 or more"
    yield "supervisor", "period_seconds", supervisor.period_seconds > 0, "must be above 0"
    yield "supervisor", "forgive_seconds", supervisor.forgive_seconds >= 0, "must be 0 or more"
    yield from notice_rules(config.notices)
    yield from log_rules(config.log)
    yield "http", "port", 0 <= config.http.port <= 65_535, "must be 0 to 65535"
    loopback = config.http.host in ("127.0.0.1", "::1", "localhost")
    yield "http", "host", loopback, "must be a loopback address (127.0.0.1, ::1, localhost)"


def _embedded_rules(section: EmbeddedSection) -> Iterator[tuple[str, str, bool, str]]:
    rule = f"must be a number above 0 and at most {MAX_SPEED}, or lockstep"
    yield "embedded", "speed", _is_speed(section.speed), rule
    yield "embedded", "history", section.history >= 0, "must be 0 or more"
    yield "embedded", "idle_exit_seconds", section.idle_exit_seconds >= 0, "must be 0 or more"


def _is_speed(speed: float | str) -> bool:
    try:
        return speed == "lockstep" or 0 < float(speed) <= MAX_SPEED
    except ValueError:
        return False


def _risk_rules(risk: RiskSection) -> Iterator[tuple[str, str, bool, str]]:
    numbers = (f.name for f in msgspec.structs.fields(RiskSection))
    for name in numbers:
        value = getattr(risk, name)
        finite = not isinstance(value, Decimal) or value.is_finite()
        yield "risk", name, finite, "must be a number"
    slippage, adopted = risk.slippage_percent, risk.adopted_stop_percent
    yield "risk", "slippage_percent", 0 <= slippage <= 5, "must be 0 to 5"
    yield "risk", "adopted_stop_percent", 0 < adopted <= 50, "must be above 0 and at most 50"
    yield "risk", "max_amount", risk.max_amount is None or risk.max_amount > 0, "must be above 0"
    yield "risk", "naked_ms", 0 <= risk.naked_ms <= 60_000, "must be 0 to 60000"
    yield "risk", "risk_percent", 0 < risk.risk_percent <= 10, "must be above 0 and at most 10"
    yield "risk", "max_leverage", 0 < risk.max_leverage <= 50, "must be above 0 and at most 50"
    yield "risk", "price_age_ms", 200 <= risk.price_age_ms <= 60_000, "must be 200 to 60000"
    yield "risk", "validity_ms", 200 <= risk.validity_ms <= 60_000, "must be 200 to 60000"
    yield "risk", "max_entries_per_day", risk.max_entries_per_day > 0, "must be above 0"
    loss = risk.max_daily_loss_percent
    yield "risk", "max_daily_loss_percent", 0 < loss <= 100, "must be above 0 and at most 100"
