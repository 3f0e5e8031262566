"""Mutants: deliberately broken variants of the daemon, each of which the harness must catch.

They are patches that replace a piece of the real program in memory, and never part of it. A mutant
that survives says that the world lacks a fault or the oracle a check: a harness that cannot fail
proves nothing. ``python -m chaos mutants`` runs them all in the simulation, ``python -m
chaos.broken NAME`` is the daemon's command line with one applied, for the driver of real processes.

    storage, answering      the log, and what the persister says about it
    sending, proof          what goes to the exchange, and how its fate is known
    gate, protection        when risk may be added, and how it is covered
    cover                   how far away a stop may be, and what comes when there is none
    account                 fills, values and sizes
    lives                   what must end when something has died, and what must go on
    word                    what the operator has ordered
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chaos.mutants import (
    account,
    answering,
    cover,
    gate,
    lives,
    proof,
    protection,
    sending,
    storage,
    word,
)
from chaos.mutants.mutant import Mutant
from chaos.mutants.patch import Patch

_MODULES = (storage, answering, sending, proof, gate, protection, cover, account, lives, word)
_ALL = [
    member for module in _MODULES for member in vars(module).values() if isinstance(member, Mutant)
]
MUTANTS: dict[str, Mutant] = {mutant.name: mutant for mutant in _ALL}
REAL_MUTANTS = ("ack-first", "resend", "forget-stop", "recovered-early")
"""Those that a campaign on real processes must catch as well."""
FSYNC_MUTANTS = ("ack-first", "no-sync")
"""Those that a trace of system calls can show."""


@contextmanager
def applied(mutant: Mutant | None) -> Iterator[None]:
    """Break the program in this process within the block; None changes nothing."""
    with Patch() as patch:
        if mutant is not None:
            mutant.apply(patch)
        yield
