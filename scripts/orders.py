"""Draws docs/orders.md from the code's tables: ``python scripts/orders.py``.

Codes are those of ``deribit/errors.py``, places those of ``core/proof.py``; what each outcome leads
to stands below. A test plays every row, and compares the page with what this script makes, so that
neither can fall behind.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tradebaas.core.proof import APART_MS, OLD_MS, PLACES
from tradebaas.core.risk import Limits
from tradebaas.deribit.errors import CANCEL_READ_BACK, MAYBE_ORDER, NO_ORDER, codes_of

PAGE = Path(__file__).parent.parent / "docs" / "orders.md"

HEAD = """\
# What becomes of an order

<!-- Made by scripts/orders.py from the code's tables; do not edit by hand. -->

An order that adds risk is sent at most once, ever; one that only reduces is made again, under a new
label, until one works (ADR 0004). In between stands what is known of each: its *outcome*, by
*evidence* that only the exchange can give. No timer ends an unknown outcome, and no clock of ours
counts as evidence. A test plays each row of this page.
"""


class Row(Struct, frozen=True):
    """What comes back, the events it leads to, and what happens then."""

    outcome: str
    evidence: str
    events: tuple[str, ...]
    entry: str
    exit: str


AGAIN = "made again once its validity is over, while this one is looked for"
BLOCKS = "adds no risk beside it; it is looked for until it is found or proven absent"
STAYS = "stays unknown, and is looked for again"
ORDER_ROWS = (
    Row(
        "accepted",
        "an answer, a notification or a read describes it",
        ("OrderUpdated",),
        "followed; its fills make the position",
        "followed; a live stop of the position's size covers it",
    ),
    Row(
        "refused",
        "a code that proves that there is no order",
        ("OrderRejected",),
        "over, and so is its signal",
        "made again, at a pace; if its trigger price was refused, the position is closed instead",
    ),
    Row(
        "code in doubt",
        "a code that proves nothing",
        ("OrderUnknown",),
        BLOCKS,
        AGAIN,
    ),
    Row(
        "unreadable",
        "an answer that makes no sense",
        ("OrderUnknown", "FrameRefused", "ProtectOnlyEntered"),
        f"{BLOCKS}; the account is read in full",
        AGAIN,
    ),
    Row(
        "unanswered",
        "no answer in time, or the connection is lost after the write",
        ("OrderUnknown",),
        BLOCKS,
        AGAIN,
    ),
    Row(
        "not written",
        "this life knows that nothing of it went out",
        ("OrderNotSent",),
        "over, and so is its signal",
        "made again",
    ),
    Row(
        "orphaned",
        "the life that intended it has ended without a word on it",
        ("LifeStarted",),
        BLOCKS,
        "made again as soon as the account was read",
    ),
    Row(
        "found",
        "unknown, and then described",
        ("OrderAdopted", "OrderUpdated"),
        "taken over",
        "taken over; what is too much is cancelled when the position is gone",
    ),
    Row(
        "filled",
        "unknown, and a fill with its label is told",
        ("Filled",),
        "the position is protected at once; nothing proves an absence any more",
        "the fill counts; the order is looked for further",
    ),
    Row(
        "absent",
        "nothing in any of the places, read late enough, and the position agrees",
        ("OrderAbandoned",),
        "over, and so is its signal",
        "over",
    ),
    Row("a place unread", "one of the places was not read", (), STAYS, STAYS),
    Row("too early", "read while it could still arrive", (), STAYS, STAYS),
    Row(
        "position differs",
        "the position is not what the known fills amount to",
        (),
        STAYS,
        STAYS,
    ),
    Row(
        "position unexplained",
        "the position was corrected, and the fills behind it are awaited",
        (),
        STAYS,
        STAYS,
    ),
    Row(
        "looked once",
        f"intended more than {OLD_MS // 60_000} minutes before, and looked for only once",
        (),
        STAYS,
        STAYS,
    ),
    Row(
        "back",
        "proven absent, and then it is live or has filled",
        ("OrderAdopted", "Halted", "OrderUpdated"),
        "taken over, cancelled, and what it opened is closed; halted until a person has looked",
        "taken over; halted until a person has looked",
    ),
    Row(
        "back for nothing",
        "proven absent, and then it turns out to have ended unfilled",
        (),
        "nothing",
        "nothing",
    ),
)


class CallRow(Struct, frozen=True):
    """What comes back from a call that may be repeated, and what happens then."""

    outcome: str
    evidence: str
    action: str


CANCEL_ROWS = (
    CallRow("cancelled", "the answer shows an ended order", "that is its state"),
    CallRow("answered as live", "the answer shows a live order", "it is read back"),
    CallRow(
        "not now",
        "a code of the table below, or one that names `order_id`",
        "it is read back; while it is live, cancelled again after 0.5, 1, 2, 2, ... s",
    ),
    CallRow(
        "refused",
        "any other code",
        "a new session begins with a full read, and cancels what is still unwanted",
    ),
    CallRow("unanswered", "no answer in time, or the connection is lost", "the same"),
)

EDIT_ROWS = (
    CallRow("carried out", "the answer shows the order", "that is its price"),
    CallRow(
        "refused",
        "any code",
        "the order is read back, and edited again after 1 s if its price is still the old one",
    ),
    CallRow("unanswered", "no answer in time, or one that makes no sense", "the same"),
    CallRow(
        "connection lost",
        "after the write, without an answer",
        "the next session reads the account, and edits what still has the old price",
    ),
    CallRow("not written", "this life knows that nothing of it went out", "edited again"),
)


def page() -> str:
    """The whole page as Markdown."""
    parts = (_orders, _absence, _refusals, _doubts, _cancels, _edits)
    return "\n".join([HEAD, *(line for part in parts for line in (*part(), ""))])


def _orders() -> Iterator[str]:
    yield "## An order was sent"
    yield ""
    yield "Whatever becomes of its stops: a position that is without one is closed before"
    yield "`risk.naked_ms` is over."
    yield ""
    yield "| outcome | evidence | events | an entry | a stop or a close |"
    yield "| --- | --- | --- | --- | --- |"
    for row in ORDER_ROWS:
        events = ", ".join(f"`{event}`" for event in row.events) or "none"
        yield f"| {row.outcome} | {row.evidence} | {events} | {row.entry} | {row.exit} |"


def _absence() -> Iterator[str]:
    limits = Limits()
    queue_s, margin_s = limits.queue_bound_ms // 1000, limits.proof_margin_ms // 1000
    yield "## Proof of absence"
    yield ""
    old_min, apart_s = OLD_MS // 60_000, APART_MS // 1000
    yield "Read are the places of the table, all of them, by calls that the exchange itself stamps"
    yield f"(`usIn`) later than `valid_until` + {queue_s} s (its own queue) + {margin_s} s."
    yield f"An order that was intended more than {old_min} minutes before is looked for twice, at"
    yield f"least {apart_s} s apart, since the archive lags."
    yield ""
    yield "| place | what is read |"
    yield "| --- | --- |"
    yield from (f"| `{place}` | {what} |" for place, what in PLACES.items())


def _refusals() -> Iterator[str]:
    yield "## Codes that prove that there is no order"
    yield ""
    yield "| why | codes |"
    yield "| --- | --- |"
    for why, codes in NO_ORDER.items():
        yield f"| {why} | {_listed(codes)} |"


def _doubts() -> Iterator[str]:
    yield "## Codes that prove nothing"
    yield ""
    yield "| code | why |"
    yield "| --- | --- |"
    yield from (f"| {code} | {why} |" for code, why in sorted(MAYBE_ORDER.items()))
    yield "| any other | a code that is not known to mean a refusal |"


def _cancels() -> Iterator[str]:
    yield "## An order was cancelled"
    yield ""
    yield "Cancelling twice harms nothing, so there is nothing to prove."
    yield ""
    yield from _calls(CANCEL_ROWS)
    yield ""
    yield "| the codes that mean: not now, or not as we believe | |"
    yield "| --- | --- |"
    for kind in CANCEL_READ_BACK:
        yield f"| {kind} | {_listed(codes_of(kind))} |"


def _edits() -> Iterator[str]:
    yield "## A stop was edited"
    yield ""
    yield "An edit says all of what the order is to be: a second one harms nothing (ADR 0013)."
    yield ""
    yield from _calls(EDIT_ROWS)


def _calls(rows: tuple[CallRow, ...]) -> Iterator[str]:
    yield "| outcome | evidence | what happens |"
    yield "| --- | --- | --- |"
    yield from (f"| {row.outcome} | {row.evidence} | {row.action} |" for row in rows)


def _listed(codes: frozenset[int]) -> str:
    return ", ".join(str(code) for code in sorted(codes))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
