"""A notice, and how it reads."""

from datetime import UTC, datetime

from msgspec import Struct


class Notice(Struct, frozen=True, kw_only=True):
    """``kind`` is its switch in ``[notices]``; ``urgent`` is for now, else for today."""

    kind: str
    title: str
    happened: str
    did: str
    todo: str
    urgent: bool = False


class Parcel(Struct, frozen=True):
    """The words of a notice as they are sent."""

    title: str
    body: str
    urgent: bool


class Post(Struct, frozen=True):
    """What a child process is to send, in this order, and to which address by its number."""

    address: int
    parcels: tuple[Parcel, ...]


class Outcome(Struct, frozen=True):
    """How many of them were delivered, and why no more; "" when all were."""

    sent: int
    reason: str


def title_of(notice: Notice) -> str:
    return f"TradeBaas: {notice.title}"


def body_of(notice: Notice, at_ms: int, origin: str) -> str:
    """The words of a notice, with when and where from; ``at_ms`` is wall time."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return (
        f"{notice.happened}\n\n"
        f"What the daemon did: {notice.did}\n"
        f"What you should do: {notice.todo}\n\n"
        f"{at}, {origin}"
    )
