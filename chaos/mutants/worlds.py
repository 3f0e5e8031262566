"""Worlds that give a mutant a fair chance: each narrows the general world to the faults it needs.

A profile is no hint at the answer. It draws everything from the seed as the general world does,
and then says which kinds of death and of fault strike, and how often, so that a mutant is shown
within a few short worlds and not within hundreds of long ones. The honest daemon is played in
every one of these worlds as well, and must hold there.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from chaos.sim.swarm import Swarm, draw
from chaos.sim.wire import CALM, Weather

GENERAL = "general"
DEATHS = 8
"""Deaths in a world of a few seconds."""
QUIET_S = 40.0
"""Longer than a half-open connection or the longest backoff takes."""

Change = Callable[[Swarm], Swarm]


def _with(deaths: int = 4, seconds: float = 40.0, **changes: Any) -> Change:
    """At most so many deaths and virtual seconds, and ``changes`` of the drawn swarm."""
    return lambda swarm: replace(swarm, deaths=deaths, faults_s=seconds, quiet_s=QUIET_S, **changes)


def _faults(*deeds: str, **rates: float) -> dict[str, Any]:
    """These deeds alone strike, of these kinds, so often; none without any."""
    return {"deeds": deeds, "rates": rates}


WINDY = Weather(latency_s=0.01, tail=0.05, tail_s=0.3, split=0.1)
QUIET: dict[str, Any] = {"weather": CALM, "late_frames": 0.0}
SELDOM: dict[str, Any] = {"traps": ("time",)}
INSIDE: dict[str, Any] = {"traps": ("disk operation",)}
OF_ACTORS: dict[str, Any] = {"kills": ("kill of an actor", "exception in an actor")}
LOST = (
    *("order done in silence", "order lost in silence", "order done, cut", "order lost, cut"),
    *("order queued", "order answered very late", "cut"),
)
THIN = (
    *("thin book", "no liquidity, rest cancelled", "touch of the stop", "touch of the take"),
    *("gap through the stop", "command"),
)

PROFILES: dict[str, Change] = {
    GENERAL: lambda swarm: swarm,
    "deaths": _with(8, **_faults()),
    "power": _with(kills=("power cut",), traps=("disk operation", "step"), **_faults()),
    "disk": _with(8, **INSIDE, **_faults("command", operator=0.3)),
    "crew": _with(8, patient=True, **OF_ACTORS, **_faults("cut", network=0.1)),
    "commands": _with(
        6, hand_over_s=0.003, traps=("disk operation", "step"), **_faults("command", operator=3.0)
    ),
    "network": _with(rate=300, weather=WINDY, **SELDOM, **_faults("cut", network=2.0)),
    "calls": _with(**SELDOM, **_faults(*LOST, calls=2.0, network=0.2)),
    "clock": _with(**SELDOM, **_faults(*LOST, "step", calls=2.0, clock=5.0)),
    "outage": _with(3, 900.0, rate=300, outage_s=340.0, **_faults()),
    "owner": _with(
        **SELDOM, **QUIET, **_faults("owner cancels our stop", "owner adds", owner=2.0)
    ),
    "foreign": _with(**SELDOM, **_faults("owner's resting order", "owner opens", foreign=2.0)),
    "answers": _with(
        **SELDOM, **QUIET,
        **_faults("owner cancels our stop", "order lost in silence", owner=2.0, calls=0.5),
    ),
    "thin": _with(**SELDOM, **_faults(*THIN, market=3.0, operator=0.5)),
    "full": _with(**SELDOM, **_faults("full", "command", disk=1.0, operator=2.0)),
    "stores": _with(**SELDOM, **_faults("recent store lags", "connections cut", house=3.0)),
    "flips": _with(8, **_faults()),
}  # fmt: skip


def world(profile: str, seed: int) -> Swarm:
    """The world of a profile and a seed."""
    return PROFILES[profile](draw(seed, DEATHS))
