"""What a campaign's daemon is put on: its file system, relay, watchdog, clocks, group and network.

Built from the profile's ``[start]``, as far as the machine permits it, before anything is started;
taken down after everything has ended. A part that is not there is None, and no fault that needs it
is played.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.real import network
from chaos.real.faketime import FakeTime
from chaos.real.fault import Need
from chaos.real.keeper import Keeper
from chaos.real.memory import MemoryGroup
from chaos.real.permitted import refusal
from chaos.real.processes import Daemon, Exchange
from chaos.real.profile import Start
from chaos.real.volume import Volume
from chaos.real.wire import Wire


@dataclass(slots=True)
class Stage:
    """The parts that are there, and how to take them down."""

    keeper: Keeper | None = None
    wire: Wire | None = None
    volume: Volume | None = None
    group: MemoryGroup | None = None
    clock: FakeTime | None = None
    exchange_clock: FakeTime | None = None
    undo: list[Callable[[], None]] = field(default_factory=list)

    def end(self) -> None:
        """Take everything down, the last first."""
        while self.undo:
            self.undo.pop()()


def build(stage: Stage, start: Start, home: Path, daemon: Daemon, exchange: Exchange) -> None:
    """Build everything that must be there before the exchange and the daemon start."""
    given = {need for need in start.gives() if not refusal(need)}
    if Need.NAMESPACE in given:
        stage.undo.append(network.enter())
    if Need.VOLUME in given and start.filesystem:
        volume = stage.volume = Volume(home, start.filesystem, start.megabytes)
        stage.undo.append(volume.end)
        daemon.place = volume.root
    if Need.MEMORY in given:
        group = stage.group = MemoryGroup()
        stage.undo.append(group.end)
        daemon.prologue.append(group.prologue)
    if Need.FAKETIME in given:
        clock = stage.clock = FakeTime(home / "faketime")
        daemon.extra |= clock.environment
        other = stage.exchange_clock = FakeTime(home / "faketime-exchange")
        exchange.extra |= other.environment
    if Need.WATCHDOG in given:
        keeper = stage.keeper = Keeper(start.watchdog_seconds)
        stage.undo.append(keeper.close)
        daemon.extra |= keeper.environment
        daemon.prologue.append(keeper.prologue)


def relayed(stage: Stage, start: Start, url: str, seed: int) -> str:
    """The address that the daemon is told: the exchange's own, or that of a relay before it."""
    if not start.relay:
        return url
    wire = stage.wire = Wire(url, seed)
    stage.undo.append(wire.end)
    return wire.url
