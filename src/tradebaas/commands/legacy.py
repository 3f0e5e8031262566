"""What the predecessor's ``strategy-state.json`` says, and what becomes of each of its fields.

Version 1 is what it wrote last; version 0 has no ``version`` and may lack what is null. The file
was written without a sync, so it may be empty or cut: nothing is guessed then. Pure; the exchange's
word is handed in.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tradebaas.errors import Unusable

STATES = (
    "IDLE", "ANALYZING", "SIGNAL_DETECTED", "ENTERING_POSITION", "POSITION_OPEN", "CLOSING",
)  # fmt: skip
VERSIONS = (0, 1)
TAKEN, CHECKED, LEFT = "taken", "checked", "left"
"""A field is in the new store; it only had to agree; nothing of it is in the new store."""


class Legacy(Struct, frozen=True, rename="camel", kw_only=True):
    """One file. Times are Unix ms; ``position_size`` is the amount as Deribit counts it."""

    version: int = 0
    strategy_name: str
    instrument: str
    state: str
    started_at: int | None = None
    last_transition: int | None = None
    position_entry_price: Decimal | None = None
    position_size: Decimal | None = None
    position_side: Literal["long", "short"] | None = None
    metadata: dict[str, Any] | None = None

    @property
    def running(self) -> bool:
        """Whether its strategy was started."""
        return self.state != "IDLE"

    @property
    def size(self) -> Decimal:
        """The position that it claims, signed; zero for none."""
        sign = {"long": 1, "short": -1, None: 0}[self.position_side]
        return (self.position_size or Decimal(0)) * sign


class Held(Struct, frozen=True):
    """A position that the exchange shows on the file's instrument."""

    size: Decimal
    average_price: Decimal


class Fate(Struct, frozen=True):
    """What became of one field, and why."""

    field: str
    value: str
    fate: str
    because: str


def read(content: bytes, where: str) -> tuple[Legacy, dict[str, object]]:
    """The file, and the fields that it has and nobody knows.

    Raises:
        Unusable: Nothing can be read from it.
    """
    if not content.strip():
        raise Unusable(
            f"{where} is empty: the predecessor was ended while it wrote it. Import an older copy "
            "from its backups, or start without one: the daemon reads the account in any case"
        )
    try:
        raw = msgspec.json.decode(content, type=dict[str, Any])
        legacy = msgspec.json.decode(content, type=Legacy)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{where} is not the predecessor's state: {error}") from error
    if legacy.version not in VERSIONS:
        raise Unusable(f"{where} has version {legacy.version}; known are {VERSIONS[0]} and 1")
    if legacy.state not in STATES:
        raise Unusable(f"{where} has the state {legacy.state!r}; known: {', '.join(STATES)}")
    if problem := _contradiction(legacy):
        raise Unusable(
            f"{where}: {problem}. Nothing is guessed: correct the file, or start without one"
        )
    known = {field.encode_name for field in msgspec.structs.fields(Legacy)}
    return legacy, {name: value for name, value in raw.items() if name not in known}


def _contradiction(legacy: Legacy) -> str:
    """Which field cannot mean anything, and why; "" for none."""
    size, side = legacy.position_size, legacy.position_side
    if not legacy.instrument.strip():
        return "instrument is empty"
    if size is not None and not size.is_finite():
        return f"positionSize is {size}, which is no number"
    if size is not None and size < 0:
        return f"positionSize is {size}: the predecessor wrote it without a sign"
    if side is not None and not size:
        return f"positionSide is {side!r}, but positionSize says that there is no position"
    if size and side is None:
        return f"positionSize is {size}, but positionSide does not say on which side"
    return ""


def agrees(legacy: Legacy, held: Held | None) -> bool:
    """Whether the exchange shows the very position that the file claims."""
    return held is not None and legacy.size != 0 and held.size == legacy.size


def arms(legacy: Legacy, strategy: str, instrument: str) -> bool:
    """Whether its strategy is the configured one, and was started."""
    return legacy.running and (legacy.strategy_name, legacy.instrument) == (strategy, instrument)


def fates(
    legacy: Legacy, more: Mapping[str, object], held: Held | None, strategy: str, instrument: str
) -> list[Fate]:
    """One row for each field of the file."""
    found = [*_of_strategy(legacy, strategy, instrument), *_of_position(legacy, held)]
    left = "nothing here depends on it"
    found.append(Fate("startedAt", _text(legacy.started_at), LEFT, left))
    found.append(Fate("lastTransition", _text(legacy.last_transition), LEFT, left))
    notes = msgspec.json.encode(legacy.metadata).decode() if legacy.metadata else "-"
    found.append(Fate("metadata", notes, LEFT, "notes of the predecessor's strategy"))
    found += [
        Fate(name, str(value), LEFT, "no such field is known") for name, value in more.items()
    ]
    return found


def _of_strategy(legacy: Legacy, strategy: str, instrument: str) -> Iterator[Fate]:
    version = str(legacy.version)
    yield Fate("version", version, CHECKED, "its fields are known")
    taken = arms(legacy, strategy, instrument)
    same = "the same as in [strategy]"
    other = f"[strategy] has {strategy} on {instrument}"
    fate, why = (TAKEN, same) if taken else (LEFT, other if legacy.running else "it was stopped")
    yield Fate("strategyName", legacy.strategy_name, fate, why)
    yield Fate("instrument", legacy.instrument, fate, why)
    if taken:
        yield Fate("state", legacy.state, TAKEN, "it is armed; the phase follows from the account")
    else:
        start = "`tradebaas start` arms what [strategy] has"
        yield Fate("state", legacy.state, LEFT, f"nothing is armed; {start}")


def _of_position(legacy: Legacy, held: Held | None) -> Iterator[Fate]:
    fate, why = _verdict(legacy, held)
    yield Fate("positionSize", _text(legacy.position_size), fate, why)
    yield Fate("positionSide", _text(legacy.position_side), fate, why)
    price = "the exchange says none"
    if held is not None:
        price = f"the exchange's own average is used: {held.average_price}"
    yield Fate("positionEntryPrice", _text(legacy.position_entry_price), LEFT, price)


def _verdict(legacy: Legacy, held: Held | None) -> tuple[str, str]:
    if agrees(legacy, held):
        return (
            TAKEN,
            "the exchange shows the same; it gets its stop at the first start",
        )
    if held is not None:
        says = f"the exchange has {held.size}: not taken, since the file does not agree"
        return LEFT, f"{says}; the daemon leaves it alone and opens nothing beside it"
    if legacy.size:
        return LEFT, "the exchange has none: it was closed meanwhile"
    return CHECKED, "none, and the exchange has none"


def _text(value: object) -> str:
    return "-" if value is None else str(value)
