"""Narrowed worlds: each profile leaves of the general world only some faults, and has more of them.

They give each mutant (``chaos.mutants``) a fair chance within a few short worlds instead of in
hundreds of long ones. A profile draws everything from the seed as the general world does, and then
says which kinds of death and of fault strike, how often, and for how long. The honest daemon must
hold in every one of them.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from chaos.sim.swarm import DEAR, FASTEST, NO_LIMIT, UNLIMITED, USUAL_AGE_MS, Swarm, draw
from chaos.sim.wire import CALM
from chaos.world.faults import GROUPS
from tradebaas.config import ForeignSection
from tradebaas.paper.readings import Readings

SHORT = "short"
RUSH = "rush"
"""All that the general world has, and a death long before the one before it is forgotten."""
DEATHS = 8
"""Deaths in a world of a few seconds."""
QUIET_S = 40.0
"""Longer than a half-open connection or the longest backoff takes."""

Change = Callable[[Swarm], Swarm]


def _with(deaths: int = 0, seconds: float = 15.0, flips: float = 0.0, **changes: Any) -> Change:
    """So many deaths within so many virtual seconds, and ``changes`` of the drawn swarm.

    Without deaths the faults last as long as that. Where time does not run fast, the limits of
    a day are lifted: nobody could wait for the next one.
    """
    if changes.get("rate", FASTEST) < FASTEST:
        changes |= {"max_entries_per_day": UNLIMITED, "max_daily_loss_percent": NO_LIMIT}
    usual = {
        "readings": Readings(),
        "funding": Decimal(0),
        "foreign": ForeignSection(),
        "trail": False,
        "price_age_ms": USUAL_AGE_MS,
        "certain": (),
        "drills": (),
    }
    changes = usual | changes
    return lambda swarm: replace(
        swarm, deaths=deaths, faults_s=seconds, quiet_s=QUIET_S, flips=flips, **changes
    )


def _faults(*deeds: str, **rates: float) -> dict[str, Any]:
    """These deeds alone strike, of these kinds, so often; none without any."""
    return {"deeds": deeds, "rates": rates}


FAST: dict[str, Any] = {"rate": FASTEST, "market_pause_s": 0.05}
"""A candle, and most often an entry, five times a second."""
QUIET: dict[str, Any] = {"weather": CALM, "late_frames": 0.0, "news_s": 2.0}
"""Nothing is late, so that a missing stop is the daemon's own fault soon."""
ACTORS = ("kill of an actor", "exception in an actor")
EARLY = ("step", "disk operation")
LOST = ("order done, cut", "order lost, cut", "order queued", "order failed, done",
        "order failed, queued", "order done in silence")  # fmt: skip
STOPS = "owner cancels our stop"
OWNERS = ("owner's stop beside ours", "owner opens", "owner's resting order")
TRADES = ("gap through the take", "gap through the stop")
"""What closes a position soon, so that there are many entries."""


def _slowed(swarm: Swarm) -> Swarm:
    """At most an exchange minute per second: more is a moving market between deaths, and dear."""
    rate = min(swarm.rate, 60)
    pause_s = swarm.market_pause_s * swarm.rate / rate
    return replace(swarm, rate=rate, market_pause_s=pause_s)


PROFILES: dict[str, Change] = {
    SHORT: lambda swarm: swarm,
    RUSH: lambda swarm: _slowed(replace(swarm, deaths=200, soon=0.1, drills=())),
    "deaths": _with(8, **FAST, **_faults(*TRADES, market=3.0)),
    "power": _with(5, 40.0, kills=("power cut",), traps=EARLY, **_faults()),
    "disk": _with(8, 40.0, traps=("disk operation",), **_faults("command", operator=1.0)),
    "errors": _with(
        seconds=10.0, rate=60, patient=False,
        **_faults("sync fails", "write fails", "read only", *TRADES, disk=0.5, market=3.0),
    ),
    "crew": _with(
        16, 30.0, patient=True, kills=ACTORS, traps=("step", "time"), rate=20, **QUIET,
        **_faults("order refused", "order queued", "order lost in silence", "order done, cut",
                  *TRADES, errors=2.0, calls=2.0, market=3.0),
    ),
    "loop": _with(
        16, 30.0, patient=False, kills=ACTORS, traps=("step", "time"), soon=0.3, **FAST, **QUIET,
        **_faults(*TRADES, market=3.0),
    ),
    "commands": _with(8, 20.0, hand_over_s=0.003, traps=EARLY, **_faults("command", operator=4.0)),
    "network": _with(
        **FAST, **QUIET, hand_over_s=0.003, **_faults("cut", *TRADES, network=4.0, market=3.0)
    ),
    "deaf": _with(
        seconds=30.0, rate=20, **QUIET,
        **_faults("subscription lost, cut", "cut", STOPS, calls=1.0, network=0.3, owner=6.0),
    ),
    "calls": _with(
        **FAST, **_faults(*LOST, "command", *TRADES,
                          calls=2.0, errors=2.0, market=3.0, operator=0.5),
    ),
    "late": _with(
        seconds=25.0, rate=60,
        **_faults("order queued", "order failed, queued", "cut", STOPS, *TRADES,
                  calls=2.0, errors=2.0, network=1.0, owner=2.0, market=3.0),
    ),
    "clock": _with(
        seconds=25.0, rate=60,
        **_faults("order queued", "order failed, queued", "cut", STOPS, "step", *TRADES,
                  calls=2.0, errors=2.0, network=1.0, owner=2.0, market=3.0, clock=20.0),
    ),
    "skew": _with(
        seconds=15.0, **QUIET | {"news_s": 6.0},  # a queue and a leap may come together
        rate=60,
        **_faults(*GROUPS["skew"], "set while an intent is open", "order queued", STOPS, *TRADES,
                  skew=0.5, calls=0.2, owner=1.0, market=0.5),
    ),
    "stores": _with(
        seconds=40.0, rate=10,
        **_faults("recent store lags", "order done, cut", "cut", STOPS, "command", *TRADES,
                  house=2.0, calls=2.0, network=1.0, owner=2.0, operator=1.0, market=3.0),
    ),
    "beside": _with(
        seconds=60.0, rate=10, market_pause_s=1.0, weather=CALM, late_frames=0.0,
        **_faults("owner opens, told late", "owner closes", *TRADES,
                  unseen=1.0, owner=0.2, market=1.0),
    ),
    "news": _with(
        seconds=60.0, rate=60, weather=CALM, late_frames=0.0,
        **_faults("late news of a fill", "late news of an entry", network=0.5),
    ),
    "outage": _with(
        4, 900.0, **FAST, outage_s=150.0, traps=("step in a lifecycle state",),
        **_faults("recent trades shrink", "recent orders shrink", *TRADES, house=1.0, market=3.0),
    ),
    "owner": _with(**QUIET, rate=60, **_faults(STOPS, "owner adds", owner=2.0)),
    "prompt": _with(**QUIET | {"news_s": 0.3}, rate=60, **_faults(STOPS, owner=0.5)),
    "spoilt": _with(
        **QUIET, rate=60, **_faults("notification spoilt", STOPS, "gap through the take",
                                    forms=3.0, owner=3.0, market=0.5),
    ),
    "silent": _with(
        seconds=60.0, rate=20, **QUIET | {"news_s": 35.0},  # until the next full read
        **_faults("account's channel falls silent", STOPS, "gap through the take",
                  house=1.0, owner=1.0, market=0.2),
    ),
    "strange": _with(
        **QUIET, **FAST, **_faults("unknown states", *TRADES, "cut", STOPS, "command",
                                   forms=20.0, market=2.0, network=0.3, owner=0.3, operator=0.3),
    ),
    "orphans": _with(
        **QUIET, **FAST, old_store=False,
        **_faults("lost labels", *TRADES, STOPS, "cut", "order done, cut", "command",
                  edges=20.0, market=3.0, owner=0.5, network=0.5, calls=0.5, operator=0.3),
    ),
    "foreign": _with(
        **QUIET, **FAST, **_faults("owner's resting order", "owner opens", *TRADES,
                                   foreign=2.0, market=3.0),
    ),
    "adopts": _with(
        **QUIET, **FAST, foreign=ForeignSection(orders="adopt", positions="adopt"),
        **_faults(*OWNERS, STOPS, "cut", *TRADES, foreign=2.0, owner=1.0, market=2.0, network=0.1),
    ),
    "far stops": _with(
        **QUIET, rate=60, foreign=ForeignSection(orders="adopt"),
        **_faults("owner's stop beside ours", STOPS, foreign=1.0, owner=1.0),
    ),
    "left": _with(
        seconds=30.0, **QUIET, rate=60, foreign=ForeignSection(positions="adopt"),
        **_faults("owner opens and leaves it", unseen=0.5),
    ),
    "closes": _with(
        **QUIET, **FAST, foreign=ForeignSection(orders="close", positions="close"),
        **_faults(*OWNERS, "cut", *TRADES, foreign=2.0, market=2.0, network=0.1),
    ),
    "liquidated": _with(
        **QUIET, **FAST, **_faults("liquidation", *TRADES, "command", market=3.0, operator=0.5),
    ),
    "trailing": _with(
        **FAST, trail=True,
        **_faults("market jumps", *TRADES, STOPS, "cut", "command", "order done, cut",
                  *GROUPS["edits"],
                  market=3.0, owner=0.5, network=0.5, operator=0.3, calls=0.5, edits=2.0),
    ),
    "moved": _with(
        6, 60.0, trail=True, rate=20, traps=("step in a lifecycle state",), kills=ACTORS,
        **QUIET, **_faults(STOPS, owner=1.0),
    ),
    "answers": _with(
        **QUIET | {"news_s": 4.0},  # eight new stops in a row may be lost
        rate=60, **_faults(STOPS, "order lost in silence", owner=2.0, calls=0.5),
    ),
    "no stops": _with(**QUIET, rate=60, **_faults("no stop is taken", errors=0.5)),
    "thin": _with(
        **FAST, **_faults("thin book", "no liquidity, rest cancelled", "touch of the stop",
                          "gap through the stop", "command", market=4.0, operator=1.0),
    ),
    "adds": _with(**QUIET, rate=60, **_faults("owner adds", owner=0.5)),
    "dry": _with(seconds=40.0, **FAST, **_faults("drought", "command", drought=0.2, operator=3.0)),
    "stuck": _with(
        seconds=40.0, **QUIET, rate=60,
        **_faults("stop fires in a drought", "liquidity returns", drought=0.5, market=0.25),
    ),
    "expired": _with(
        seconds=40.0, **QUIET, rate=60,
        **_faults("unknown states", "no liquidity, rest cancelled", "liquidity returns",
                  "gap through the stop", "command",
                  forms=1.0, market=1.0, drought=0.3, operator=0.3),
    ),
    "snug": _with(
        seconds=25.0, **FAST, snug=True, **_faults("market jumps", *TRADES, market=8.0)
    ),
    "capped": _with(
        seconds=10.0, **FAST, instrument="BTC_USDC-PERPETUAL", capped=True,
        **_faults("market jumps", *TRADES, market=8.0)
    ),
    "losses": _with(
        seconds=25.0, **FAST, risk_percent=Decimal("0.1"), max_daily_loss_percent=Decimal("0.2"),
        **_faults("gap through the stop", market=4.0),
    ),
    "silent prices": _with(
        seconds=25.0, rate=60, market_pause_s=0.1, price_age_ms=1_000, **QUIET,
        **_faults("prices fall silent", *TRADES, entries=0.3, market=3.0),
    ),
    "resting": _with(
        seconds=25.0, rate=60, market_pause_s=0.1, **QUIET,
        **_faults("entry has to rest", "cut", *TRADES, entries=1.0, network=0.1, market=1.0),
    ),
    "charged": _with(
        seconds=30.0, rate=60, funding=DEAR,
        **_faults(*TRADES, "cut", "settlement", market=2.0, network=0.1, house=0.1),
    ),
    "full": _with(3, **FAST, traps=("time",), **_faults("full", "command", disk=2.0, operator=3.0)),
    "flips": _with(
        12, 20.0, 0.6, **FAST, snapshot_every=200, kills=("kill of an actor", "SIGKILL"),
        traps=("time",), **_faults(*TRADES, market=3.0),
    ),
}  # fmt: skip


def world(profile: str, seed: int) -> Swarm:
    """The world of a profile and a seed."""
    return replace(PROFILES[profile](draw(seed, DEATHS)), profile=profile)
