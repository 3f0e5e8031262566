"""The fatal errors and the exit codes that they end the process with.

Three ways to say no exist in this program: a refusal (a value), an ordinary exception (ends the
life of the crew, which the supervisor starts again), and a ``Fatal`` (ends the process, because
starting again inside it cannot help). Only the last kind lives here. Every message must say what
is wrong, where, and what the person should do next.
"""

from typing import ClassVar


class Fatal(Exception):
    """Ends the process with ``exit_code``; never caught by the supervisor."""

    exit_code: ClassVar[int] = 70


class BudgetSpent(Fatal):
    """The crew died too often in too short a time; systemd should start a new process."""

    exit_code: ClassVar[int] = 70


class StoreFault(Fatal):
    """The store cannot be read or written; nothing may be traded without it."""

    exit_code: ClassVar[int] = 75


class StoreDamaged(StoreFault):
    """The store, or a file that guards it, is damaged, cut short or missing."""


class StoreBusy(StoreFault):
    """Another process holds this data directory."""


class Unusable(Fatal):
    """Something that a restart cannot mend: the operator has to act."""

    exit_code: ClassVar[int] = 78


class ConfigError(Unusable):
    """The configuration is wrong."""


class StoreOlder(Unusable):
    """The store has the schema of an older version: a start migrates it, a reader cannot."""


class StoreNewer(Unusable):
    """The store was written by a newer version of this program."""
