"""What a seed draws: how fast time runs, how large things are, what goes wrong and how often.

Most numbers that the program bounds or that the world decides are drawn anew for each seed, small
ones as often as large ones, and each kind of fault is left out of some seeds altogether: a fault
that always happens hides what happens without it (swarm testing).
"""

import random
from decimal import Decimal
from pathlib import Path
from typing import final

from msgspec import Struct
from msgspec.structs import replace

from chaos.sim import kernel
from chaos.sim.judge import Patience
from chaos.sim.wire import CALM, Weather
from chaos.world.faults import GROUPS
from tradebaas.board import USUAL, Capacities
from tradebaas.config import (
    Config,
    ExchangeSection,
    ForeignSection,
    RiskSection,
    StoreSection,
    StrategySection,
    SupervisorSection,
)
from tradebaas.core.model import Assignment
from tradebaas.paper.readings import CHOICES, Readings, changed
from tradebaas.settings import BackupSection

FASTEST = 300
"""Exchange seconds per virtual second, at most."""
UNLIMITED = 10**6
"""Entries per day."""
USUAL_AGE_MS = 5_000
"""The default: with it a channel of prices that is silent is found before they are old."""
NO_LIMIT = Decimal(50)
"""Percent of the equity that a world may lose in a day: more than it can."""
INSTRUMENTS = ("BTC-PERPETUAL", "BTC-PERPETUAL", "BTC_USDC-PERPETUAL")
SNUG = Decimal("2.23")
"""Leverage per percent of risk that an entry of the strategy's hardly needs: one whose stop the
market has come nearer to meanwhile needs more, and must be refused."""
LARGE = Decimal("2.6")
"""Likewise the amount per percent of risk, of the linear contract."""
POLICIES = ("quarantine", "quarantine", "adopt", "close")
"""What becomes of the owner's orders and positions; half of the worlds leave them alone."""
DEAR = Decimal("0.008")
"""A premium of which a position of some minutes costs money that counts."""
WIRE_S = 0.6
"""What the news of a naked position and its close may take together through the network."""
DATA = Path("/var/lib/tradebaas")


@final
class Swarm(Struct, frozen=True, kw_only=True):
    """One seed's world. ``rate`` is exchange seconds per virtual second.

    ``rates`` says how often each kind of fault strikes, per virtual second. ``late_frames`` is the
    share of the exchange's frames that are delayed one by one, ``burst`` how many commands an
    operator gives at once, at most. ``snug``: entries come near to the limit of the leverage,
    ``capped``: to that of the amount. ``trail``: stops follow the market.

    The rest narrows a world to some of what could happen in it, as ``profile`` says (() and 0:
    nothing is narrowed): ``deeds`` are the only faults that strike, ``traps`` the only places where
    death waits, ``kills`` its only forms, ``soon`` the share of the usual longest wait for it;
    ``faults_s`` ends the faults before all deaths have come, ``outage_s`` is about how long the
    daemon is down.

    ``flips`` is the chance that a bit of the store changes while the daemon is down. ``quiet_s`` is
    how long the world may take to come to rest after the last fault. In a faulty world news of a
    missing stop may be late, until the next full read or the one after it: by ``news_s``.
    ``readings`` is how the exchange takes what nobody knows of Deribit, ``funding`` the largest
    premium that it makes funding of. ``foreign`` is what the daemon does about the owner's,
    ``price_age_ms`` how old, in its time, the prices of an entry may be.
    ``certain`` are faults of the exchange's that are provoked at the end, each until it has struck,
    and ``drills`` situations that are brought about after that.
    """

    seed: int
    instrument: str
    rate: int
    deaths: int
    hand_over_s: float
    weather: Weather
    rates: dict[str, float]
    late_frames: float
    old_store: bool
    snapshot_every: int
    backup_every_s: float
    patient: bool
    risk_percent: Decimal
    max_entries_per_day: int
    market_pause_s: float
    max_daily_loss_percent: Decimal = NO_LIMIT
    snug: bool = False
    capped: bool = False
    trail: bool = False
    capacities: Capacities = USUAL
    burst: int = 1
    profile: str = ""
    deeds: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    kills: tuple[str, ...] = ()
    soon: float = 1.0
    faults_s: float = 600.0
    outage_s: float = 0.0
    flips: float = 0.0
    quiet_s: float = 120.0
    news_s: float = 30.0
    readings: Readings = Readings()
    funding: Decimal = Decimal(0)
    foreign: ForeignSection = ForeignSection()
    price_age_ms: int = USUAL_AGE_MS
    certain: tuple[str, ...] = ()
    drills: tuple[str, ...] = ()

    def config(self) -> Config:
        """The daemon's configuration in this world."""
        supervisor = SupervisorSection(deaths=10**6, period_seconds=1.0, forgive_seconds=0.0)
        return Config(
            data=str(DATA),
            exchange=ExchangeSection(url="ws://exchange.simulated:8022/ws/api/v2"),
            strategy=StrategySection(name=self.assignment().strategy, instrument=self.instrument),
            risk=RiskSection(
                risk_percent=self.risk_percent,
                max_entries_per_day=self.max_entries_per_day,
                max_daily_loss_percent=self.max_daily_loss_percent,
                max_leverage=SNUG * self.risk_percent if self.snug else Decimal(5),
                max_amount=LARGE * self.risk_percent if self.capped else None,
                naked_ms=max(2_000, 400 * self.rate),
                price_age_ms=self.price_age_ms,
            ),
            foreign=self.foreign,
            store=StoreSection(snapshot_every=self.snapshot_every),
            backups=BackupSection(interval_seconds=self.backup_every_s, keep=3),
            supervisor=supervisor if self.patient else SupervisorSection(forgive_seconds=20.0),
        )

    @property
    def waits_for_days(self) -> bool:
        """Whether a day's limit may be reached, so that nothing is traded before the next one."""
        return self.max_entries_per_day < UNLIMITED or self.max_daily_loss_percent < NO_LIMIT

    @property
    def naked_limit_s(self) -> float:
        """The same in virtual seconds: the daemon's own limit, and the wire's time."""
        return self.config().risk.naked_ms / (1000 * self.rate) + WIRE_S

    @property
    def patience(self) -> Patience:
        """What the judge allows in this world."""
        news_ms = int(self.news_s * 1000) * self.rate
        return Patience(rate=self.rate, naked_ms=self.naked_limit_ms, news_ms=news_ms)

    @property
    def naked_limit_ms(self) -> int:
        """How long, in exchange time, a position may be naked while a daemon is there."""
        return int(self.naked_limit_s * 1000) * self.rate

    def assignment(self) -> Assignment:
        """What the operator arms."""
        return Assignment(
            strategy=strategy_name("restless.py", "Restless"),
            parameters={"trail": "1"} if self.trail else {},
            instrument=self.instrument,
            timeframe="1m",
        )


def draw(seed: int, deaths: int) -> Swarm:
    """The world of ``seed``, with about ``deaths`` deaths in it."""
    rng = random.Random(f"swarm {seed}")
    rate = rng.choice((20, 60, 60, 120, FASTEST))
    swarm = Swarm(
        seed=seed,
        instrument=rng.choice(INSTRUMENTS),
        rate=rate,
        deaths=deaths,
        hand_over_s=rng.choice((0.00005, 0.0003, 0.0003, 0.003)),
        weather=_weather(rng),
        rates=_rates(rng, MOST_OFTEN),
        late_frames=rng.choice((0.0, 0.02, 0.2)),
        old_store=rng.random() < 0.15,
        snapshot_every=rng.choice((1, 3, 17, 50, 200)),
        backup_every_s=rng.choice((3.0, 20.0, 3600.0)),
        patient=rng.random() < 0.7,
        risk_percent=rng.choice((Decimal("0.1"), Decimal("0.25"), Decimal("0.02"))),
        max_entries_per_day=UNLIMITED,
        market_pause_s=rng.choice((10.0, 15.0, 20.0)) / rate,  # well below a candle
    )
    if rng.random() < 0.1:  # fast, since it must come to the next day to trade again
        swarm = replace(swarm, max_entries_per_day=rng.choice((1, 3)), rate=FASTEST)
        swarm = replace(swarm, market_pause_s=15.0 / swarm.rate)
        swarm = replace(swarm, max_daily_loss_percent=4 * swarm.risk_percent)
    swarm = replace(
        swarm,
        flips=rng.choice((0.0, 0.0, 0.15)),
        capacities=Capacities(
            asks=rng.choice((1, 4, 256)),
            batch=rng.choice((1, 3, 64)),
            inbox=rng.choice((32, 256, 4096)),
        ),
        burst=rng.choice((1, 1, 20)),
        snug=rng.random() < 0.3,
        rates=swarm.rates | _rates(rng, LATEST),
        readings=_readings(rng),
        funding=rng.choice((Decimal(0), DEAR)),
        foreign=ForeignSection(orders=rng.choice(POLICIES), positions=rng.choice(POLICIES)),
    )
    if rng.random() < 0.3:
        swarm = replace(swarm, trail=True, rates=swarm.rates | _rates(rng, TRAILED))
    swarm = replace(swarm, rates=swarm.rates | _rates(rng, LAST), certain=_certain(seed))
    swarm = replace(swarm, price_age_ms=rng.choice((USUAL_AGE_MS, 1_500)))
    if swarm.waits_for_days:  # with the day's entries spent nothing can be had to happen
        return replace(swarm, certain=())
    swarm = replace(swarm, drills=_drills(seed))
    if CRASH_LOOP in swarm.drills:  # a patient supervisor never sees one
        swarm = replace(swarm, patient=False)
    return replace(swarm, trail=True) if GROUPS["edits"].keys() & set(swarm.certain) else swarm


def _readings(rng: random.Random) -> Readings:
    """In every other world some questions are answered in the other way."""
    chance = rng.choice((0.0, 0.25))
    return changed(
        Readings(),
        {name: values[1] for name, values in CHOICES.items() if rng.random() < chance},
    )


def _weather(rng: random.Random) -> Weather:
    if rng.random() < 0.25:
        return CALM
    return Weather(
        latency_s=rng.choice((0.0002, 0.001, 0.01)),
        tail=rng.choice((0.002, 0.02, 0.05)),
        tail_s=rng.choice((0.02, 0.1, 0.3)),
        split=rng.choice((0.0, 0.1, 0.5)),
    )


def strategy_name(file: str, attribute: str, folder: Path = Path(__file__).parent) -> str:
    """How the daemon is told of a strategy of the harness: from the repository's root, where every
    world is played, since the name is in the log and must be the same wherever that is."""
    return f"{(folder / file).relative_to(kernel.ROOT)}:{attribute}"


MOST_OFTEN = {
    "network": 0.2,
    "exchange death": 0.05,
    "operator": 0.2,
    "disk": 0.1,
    "clock": 0.05,
    "calls": 0.4,
    "errors": 0.3,
    "house": 0.1,
    "forms": 0.2,
    "owner": 0.15,
    "foreign": 0.05,
    "market": 1.0,
}
"""Strikes per virtual second of each kind of fault, where a seed has most of it."""


IN_TURN = tuple(name for group in (*MOST_OFTEN, "edits") for name in GROUPS.get(group, ()))
EACH = 5


def _certain(seed: int) -> tuple[str, ...]:
    """So many in each world, by the seed's number and not by chance: a batch of consecutive seeds
    has them all, and each one as often as the next."""
    return tuple(IN_TURN[(seed * EACH + number) % len(IN_TURN)] for number in range(EACH))


CRASH_LOOP = "crash loop"
SIGNAL_WAITS = "death while a signal waits"
LOST_LONG_AGO = "order lost long ago"
DRILLED = {1: CRASH_LOOP, 3: LOST_LONG_AGO, 5: SIGNAL_WAITS}
"""Situations that chance brings too seldom: the remainders of the seeds that have each of them."""
DRILLS_EACH = 8


def _drills(seed: int) -> tuple[str, ...]:
    """Likewise by the seed's number: a batch of 100 has each of them a dozen times."""
    drill = DRILLED.get(seed % DRILLS_EACH)
    return (drill,) if drill else ()


LATEST = {"skew": 0.2}
TRAILED = {"edits": 0.3}
LAST = {"unsent": 0.4, "entries": 0.8}
"""Likewise; drawn after all else, so that worlds without it are what they were before."""


def _rates(rng: random.Random, most_often: dict[str, float]) -> dict[str, float]:
    """Each kind never, seldom or often."""
    return {kind: most * rng.choice((0.0, 0.25, 1.0)) for kind, most in most_often.items()}
