"""What is remembered between two processes: up to where has been told (``data/notices.json``).

Losing it costs repeated or missing notices and nothing else, so it is replaced without a sync, and
one that cannot be read counts as none.
"""

import os
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from tradebaas.core.state import Counters

NAME = "notices.json"


class Totals(Struct, frozen=True, kw_only=True):
    """The counters of the state, as of some moment, as far as a summary tells of them."""

    trades: int = 0
    success: int = 0
    crashes: int = 0
    unknown: int = 0
    net: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    funding: dict[str, Decimal] = {}


class Told(Struct, frozen=True, kw_only=True):
    """All events up to ``seq`` are told, or given up. ``totals`` is as of the summary before
    ``day`` (days since the epoch, UTC)."""

    seq: int = 0
    day: int = 0
    totals: Totals = Totals()


def totals_of(counters: Counters) -> Totals:
    return Totals(
        trades=counters.trades,
        success=counters.trades_success,
        crashes=counters.crashes,
        unknown=counters.orders_unknown,
        net=counters.net,
        fees=counters.fees,
        funding=counters.funding,
    )


def load(data_dir: Path) -> Told | None:
    """What was told before; None when that is not known."""
    try:
        return msgspec.json.decode((data_dir / NAME).read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError):
        return None


def save(data_dir: Path, told: Told) -> None:
    """Replace what is remembered.

    Raises:
        OSError: The directory cannot be written.
    """
    fresh = data_dir / f".{NAME}.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(told))
    os.replace(fresh, data_dir / NAME)
