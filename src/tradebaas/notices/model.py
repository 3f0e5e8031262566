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


class Parcel(Struct, frozen=True, kw_only=True):
    """What the child process is handed: an address by its number, and the words."""

    address: int
    title: str
    body: str
    urgent: bool


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
