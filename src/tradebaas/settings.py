"""The sections of tradebaas.toml on what the daemon tells and what it keeps copies of.

What each of them means for the daemon is said where it is used; here are names, defaults and rules.
What it tells, a running daemon takes anew on SIGHUP.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct


class NoticesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which notices are sent, and how many.

    More than ``at_most`` within ``within_seconds`` are held back and counted; one that no attempt
    could deliver for ``give_up_seconds`` is given up. Where they go is a secret (``access``).
    """

    started: bool = True
    stopped: bool = True
    restarts: bool = True
    recovered: bool = True
    opened: bool = True
    closed: bool = True
    naked: bool = True
    unknown: bool = True
    halted: bool = True
    protect_only: bool = True
    liquidated: bool = True
    foreign: bool = True
    backup_failed: bool = True
    store: bool = True
    daily: bool = True
    at_most: int = 20
    within_seconds: float = 600.0
    give_up_seconds: float = 3600.0


class LogSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written and how (``logs``). ``auto``: the journal under systemd, else console."""

    level: str = "info"
    format: str = "auto"


class BackupSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Backups under ``data/backups``, one every ``interval_seconds``.

    The newest ``keep`` stay, and the last one of each of the newest ``keep_days``. ``second`` is a
    directory that gets a copy of each, on another disk or a mount; "" for none. With
    ``auto_restore`` a damaged store is restored and resumed without a person (ADR 0015).
    """

    interval_seconds: float = 3600.0
    keep: int = 24
    keep_days: int = 7
    second: str = ""
    auto_restore: bool = False


Rules = Iterator[tuple[str, str, bool, str]]
"""Section, key, whether it is good, and what it must be."""


def notice_rules(notices: NoticesSection) -> Rules:
    """What must hold of ``[notices]``."""
    yield "notices", "at_most", notices.at_most >= 1, "must be at least 1"
    yield "notices", "within_seconds", notices.within_seconds > 0, "must be above 0"
    yield "notices", "give_up_seconds", notices.give_up_seconds >= 0, "must be 0 or more"


LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("auto", "console", "json", "journal")


def log_rules(log: LogSection) -> Rules:
    """What must hold of ``[log]``."""
    yield "log", "level", log.level in LEVELS, f"must be one of {', '.join(LEVELS)}"
    yield "log", "format", log.format in FORMATS, f"must be one of {', '.join(FORMATS)}"


def backup_rules(backups: BackupSection) -> Rules:
    """What must hold of ``[backups]``."""
    yield "backups", "interval_seconds", backups.interval_seconds >= 1, "must be at least 1"
    yield "backups", "keep", backups.keep >= 1, "must be at least 1"
    yield "backups", "keep_days", backups.keep_days >= 0, "must be 0 or more"
    absolute = not backups.second or Path(backups.second).is_absolute()
    yield "backups", "second", absolute, "must be an absolute path, or empty for none"
