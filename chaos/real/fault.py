"""What a fault is: a row of functions, the needs it has, and the ends it may have.

    inject    do the harm; the daemon may die of it at once
    lasting   what must be true while it lasts; returns when it has lasted long enough
    heal      take the harm away; the daemon is started again afterwards if it is down
    after     what must be true once the daemon has recovered, beyond what holds after every round

Each takes the ``Scene`` of its round. A fault whose needs this machine does not meet is skipped,
with the reason; it never counts as passed. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from tradebaas.core.model import Phase

if TYPE_CHECKING:
    from chaos.real.scene import Scene

Act: TypeAlias = "Callable[[Scene], None]"

UNHELD = tuple(phase for phase in Phase if phase is not Phase.SIGNAL_DETECTED)
"""All states but the one that is made by holding back every login: no fault heals that."""


class End(StrEnum):
    """What became of the daemon: of its process, up to the moment at which it traded again."""

    LIVES = "lives"
    """The same process recovered by itself, in the same life or a new one."""
    KILLED = "killed"
    ABORTED = "aborted"
    """Killed by the watchdog, as systemd does it (SIGABRT)."""
    STOPPED = "exit 0"
    SPENT = "exit 70"
    STORE = "exit 75"
    REFUSED = "exit 78"
    RECOVERED = "recovers"
    """The next process began with what it found, and nothing was lost."""
    RESTORED = "restored"
    """It refused its store, and the command that it named brought it back, halted."""


class Need(StrEnum):
    """What a fault cannot be done without; the words follow "needs"."""

    STRACE = "strace"
    VOLUME = "a file system of its own (start.filesystem)"
    EXT4 = 'an ext4 file system of its own (start.filesystem = "ext4")'
    RELAY = "a relay before the exchange (start.relay)"
    WATCHDOG = "a watchdog (start.watchdog_seconds)"
    FAKETIME = "a wall clock of its own (start.faketime)"
    MEMORY = "a memory control group (start.memory_group)"
    NAMESPACE = "a network of its own (start.namespace)"
    NETEM = "tc netem in a network of its own (start.namespace)"
    FIREWALL = "nftables in a network of its own (start.namespace)"


def nothing(_scene: "Scene") -> None:
    """For a step that a fault does not need."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table. ``states`` are those that it is done in.

    ``steered`` False: the daemon is not led into a state first; the fault strikes wherever it is.
    ``kind`` is what the death of a process by it is counted as.
    """

    says: str
    inject: Act
    lasting: Act = nothing
    heal: Act = nothing
    after: Act = nothing
    needs: tuple[Need, ...] = ()
    states: tuple[Phase, ...] = tuple(Phase)
    steered: bool = True
    kind: str = "process"
