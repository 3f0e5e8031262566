"""Mutants that only real processes can show: of the watchdog, the limits, the disk and the link.

As those of ``chaos.mutants`` they replace a piece of the program in memory. Each is the mistake
that one kind of fault exists to find; ``proofs`` says which.
"""

import errno
import os

from chaos.mutants import MUTANTS
from chaos.mutants.mutant import Mutant, mutant
from chaos.mutants.patch import Patch
from tradebaas.actors import metrics, reconciler
from tradebaas.actors.feed import CandleGap
from tradebaas.board import Context, Vitals
from tradebaas.deribit import link
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import Endpoint, Link
from tradebaas.errors import StoreFault
from tradebaas.runtime.ports import Ports
from tradebaas.runtime.systemd import Notifier
from tradebaas.store import faults, opening
from tradebaas.store.place import Place

FOREVER = 1e6


@mutant(
    "never-pats",
    breaks="the watchdog is never patted",
    costs="systemd kills a healthy daemon again and again",
    by="Alive",
    needs="somebody who plays systemd",
)
def never_pats(patch: Patch) -> None:
    patch.set(Notifier, "watchdog", lambda _self: False)


@mutant(
    "deaf",
    breaks="neither silence on the link nor a call without an answer is ever noticed",
    costs="after a half-open connection the daemon believes in an account of hours ago",
    by="Alive",
    needs="a connection that is dead and nobody is told",
)
def deaf(patch: Patch) -> None:
    honest = link.Link.__init__

    def init(
        self: Link, endpoint: Endpoint, ports: Ports, credits: Credits, call_s: float, inbox: int
    ) -> None:
        honest(self, endpoint, ports, credits, call_s * FOREVER, inbox)

    patch.set(link.Link, "__init__", init)
    patch.set(link, "SILENCE_S", FOREVER)


@mutant(
    "lost-is-fatal",
    breaks="the loss of the connection ends the life instead of the session",
    costs="a bad network spends the budget of deaths, and the process with it",
    by="Alive",
    needs="a connection that is lost",
)
def lost_is_fatal(patch: Patch) -> None:
    patch.set(reconciler, "_ORDINARY", (CandleGap,))


@mutant(
    "full-is-fatal",
    breaks="a full disk ends the process as a broken one does",
    costs="nobody closes the position until somebody frees space",
    by="Alive",
    needs="a disk that fills up",
)
def full_is_fatal(patch: Patch) -> None:
    patch.set(faults, "_full", lambda file: StoreFault(f"no space for {file}"))


@mutant(
    "fault-is-ordinary",
    breaks="a disk that fails ends the life and not the process",
    costs="the next life goes on from a page cache that nobody knows",
    by="Alive",
    needs="a disk that fails",
)
def fault_is_ordinary(patch: Patch) -> None:
    def fault(file: object, why: str) -> Exception:
        return OSError(errno.EIO, f"{file}: {why}")

    patch.set(faults, "_fault", fault)


@mutant(
    "fresh-store",
    breaks="where the database is gone a new one is begun, whatever else lies there",
    costs="an account with a position and orders is traded on as if it were empty",
    by="Alive, Durable, Known",
    needs="a database that is gone",
)
def fresh_store(patch: Patch) -> None:
    def begin(place: Place) -> None:
        for path in (place.head, place.wal, place.shm):
            if path.exists():
                os.unlink(path)

    patch.set(opening, "refuse_if_there_was_one", begin)


@mutant(
    "figures-are-vital",
    breaks="a figure of the process that cannot be read ends the life",
    costs="without file descriptors the crew dies over and over, of its own metrics",
    by="Alive",
    needs="a process that may open no more files",
)
def figures_are_vital(patch: Patch) -> None:
    def measured(ctx: Context) -> Vitals:
        usage, free = ctx.ports.measure(), ctx.place.disk.free_bytes(ctx.data_dir)
        return Vitals(
            memory_bytes=usage.memory_bytes,
            memory_percent=usage.memory_percent,
            cpu_percent=usage.cpu_percent,
            disk_free_bytes=free,
        )

    patch.set(metrics, "_measured", measured)


@mutant(
    "own-clock",
    breaks="a login is stamped with our machine's clock, whatever the exchange says of its own",
    costs="where the two differ nobody can log in, and so nothing can be protected",
    by="Alive",
    needs="an exchange whose clock differs from ours by more than a minute",
)
def own_clock(patch: Patch) -> None:
    patch.set(ExchangeClock, "wall_ms", lambda _self, _monotonic: 0)


BREAKAGES: dict[str, Mutant] = {
    found.name: found for found in list(globals().values()) if isinstance(found, Mutant)
}
ALL: dict[str, Mutant] = {**MUTANTS, **BREAKAGES}
"""All that ``python -m chaos.broken`` can apply to a real process."""
