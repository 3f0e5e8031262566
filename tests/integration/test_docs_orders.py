"""docs/orders.md says what the code does: each row of it is played.

Its codes and its calls that may be repeated are tried in tests/unit/deribit/test_deribit_page.py.
"""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import LIMITS, D, Story, kinds
from tests.unit.core.test_core_outcomes import SETTLED_MS, absent, lost
from tradebaas.core.events import Event
from tradebaas.core.facts import FrameFact, LostFact, NotSentFact, RejectFact
from tradebaas.core.messages import ClosePosition
from tradebaas.core.model import Intent
from tradebaas.core.proof import OLD_MS, PLACES
from tradebaas.core.state import waiting_reason

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "orders.py"))
ORDER_ROWS = {row.outcome: row for row in SCRIPT["ORDER_ROWS"]}
STAYS = SCRIPT["STAYS"]
Events = tuple[Event, ...]


def test_the_page_is_what_the_tables_say() -> None:
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")
    assert page == SCRIPT["page"](), "run: python scripts/orders.py"


# ------------------------------------------------------------------------ an order was sent


def entering() -> tuple[Story, str]:
    story = Story()
    return story, story.entering().label


def accepted() -> tuple[Story, Events]:
    story, label = entering()
    return story, story.facts(story.order(label, "entry", state="open"))


def refused() -> tuple[Story, Events]:
    story, label = entering()
    return story, story.facts(RejectFact(label=label, code=10009, message="not_enough_funds"))


def doubted() -> tuple[Story, Events]:
    story, label = entering()
    return story, story.facts(LostFact(label=label, reason="11094"))


def unreadable() -> tuple[Story, Events]:
    story, label = entering()
    frame = FrameFact(raw="{", reason=f"answer to {label}")
    return story, story.facts(LostFact(label=label, reason="unreadable"), frame)


def not_written() -> tuple[Story, Events]:
    story, label = entering()
    return story, story.facts(NotSentFact(label=label, reason="link lost"))


def orphaned() -> tuple[Story, Events]:
    story, _ = entering()
    before = len(story.events)
    story.start("bb", cause="killed")
    return story, tuple(story.events[before:])


def found() -> tuple[Story, Events]:
    story, intent = lost()
    return story, story.facts(story.order(intent.label, "entry", state="open"))


def filled() -> tuple[Story, Events]:
    story, intent = lost()
    return story, story.facts(story.fill(intent.label, intent.amount))


def looked_for(late_ms: int = SETTLED_MS + 1, **what: object) -> tuple[Story, Events]:
    story, intent = lost()
    return story, story.facts(absent(intent, intent.intended_ms + late_ms, **what))  # type: ignore[arg-type]


def unexplained() -> tuple[Story, Events]:
    story, intent = lost()
    story.now = late_ms = intent.intended_ms + SETTLED_MS + 1
    story.facts(story.position_fact("1000"))
    return story, story.facts(absent(intent, late_ms, position=D(1000)))


def back(state: str) -> tuple[Story, Events]:
    story, intent = lost()
    story.facts(absent(intent, intent.intended_ms + SETTLED_MS + 1))
    story.now += SETTLED_MS + 10
    return story, story.facts(story.order(intent.label, "entry", state=state))


PLAYED: dict[str, Callable[[], tuple[Story, Events]]] = {
    "accepted": accepted,
    "refused": refused,
    "code in doubt": doubted,
    "unreadable": unreadable,
    "unanswered": doubted,
    "not written": not_written,
    "orphaned": orphaned,
    "found": found,
    "filled": filled,
    "absent": looked_for,
    "a place unread": lambda: looked_for(sources=tuple(PLACES)[1:]),
    "too early": lambda: looked_for(SETTLED_MS),
    "position differs": lambda: looked_for(position=D(1000)),
    "position unexplained": unexplained,
    "looked once": lambda: looked_for(OLD_MS + 1),
    "back": lambda: back("open"),
    "back for nothing": lambda: back("cancelled"),
}
FOLLOWS = {"PhaseChanged", "CloseRequested"}
"""What follows from any of them, in the row or not."""


def test_each_row_is_played() -> None:
    assert PLAYED.keys() == ORDER_ROWS.keys()


@pytest.mark.parametrize("outcome", PLAYED)
def test_a_row_leads_to_its_events(outcome: str) -> None:
    row = ORDER_ROWS[outcome]
    story, events = PLAYED[outcome]()
    assert tuple(kind for kind in kinds(events) if kind not in FOLLOWS) == row.events
    label = story.intent().label
    unknown = label in story.state.pending and story.state.pending[label].unknown
    assert bool(unknown) == (
        row.entry == STAYS or "looked for" in row.exit or outcome == "orphaned"
    )
    if unknown:
        assert label in waiting_reason(story.state) or not story.state.connection


PATIENT = replace(LIMITS, naked_ms=60_000)
AGAIN = [outcome for outcome, row in ORDER_ROWS.items() if "made again" in row.exit]


def sent(role: str) -> tuple[Story, Intent]:
    """In a position, with a stop or a close of it on its way."""
    story = Story(limits=PATIENT)
    story.entered()
    if role == "c":
        story.tell(ClosePosition(reason="test"))
    else:
        story.facts(story.gone("stop", "user_request"))
        story.now += 1
        story.reconcile(size="1000", orders=("take",))
    story.tend()
    return story, story.intent(role)


@pytest.mark.parametrize("role", ["s", "c"])
@pytest.mark.parametrize("outcome", AGAIN)
def test_what_reduces_is_made_again(outcome: str, role: str) -> None:
    story, first = sent(role)
    match outcome:
        case "refused":
            story.facts(RejectFact(label=first.label, code=10012, message="book_closed"))
        case "not written":
            story.facts(NotSentFact(label=first.label, reason="link lost"))
        case "orphaned":
            story.start("bb", cause="killed")
            story.link(1)
            story.reconcile(size="1000", orders=tuple(story.state.orders))
        case _:
            story.facts(LostFact(label=first.label, reason="late"))
            story.tend()
            assert story.intent(role) == first, "not before its validity is over"
    story.now = first.valid_until_ms + 1
    story.tend()
    assert story.intent(role).label != first.label
