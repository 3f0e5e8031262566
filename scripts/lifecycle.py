"""Draws docs/lifecycle.md and lifecycle.svg from the transitions: ``python scripts/lifecycle.py``.

The table in ``core/lifecycle.py`` is the only place that says which moves there are; this file only
lays them out. A test compares the page with what this script makes, so it cannot fall behind.
"""

from collections.abc import Iterator
from pathlib import Path

from drawing import drawing

from tradebaas.core.lifecycle import TRANSITIONS
from tradebaas.core.model import Phase

PAGE = Path(__file__).parent.parent / "docs" / "lifecycle.md"
DRAWING = PAGE.with_suffix(".svg")
DRAWN = "![The six states, and every move between them](lifecycle.svg)"

MEANING = {
    Phase.IDLE: "no strategy is armed and nothing is open",
    Phase.ANALYZING: "a strategy is armed and looks at every closed candle",
    Phase.SIGNAL_DETECTED: "a signal waits until risk may be added, or until it is stale",
    Phase.ENTERING_POSITION: "an entry is intended or at the exchange, and nothing has filled yet",
    Phase.POSITION_OPEN: "a position of ours is open",
    Phase.CLOSING: "an exit is under way, or what a closed position left behind is being cleared",
}

HEAD = """\
# The lifecycle

<!-- Made by scripts/lifecycle.py from src/tradebaas/core/lifecycle.py; do not edit by hand. -->

The phase is never set by hand. It is derived from what the state holds (orders, position, signal,
whether a strategy is armed), and every change of it must be one of the moves below; any other is a
bug that ends the life instead of going on in a state that nobody thought of. `armed` is apart from
the phase and survives restarts: a closed position leads to ANALYZING while a strategy is armed,
else to IDLE. The moves called "found ..." are for what the exchange shows that the state did not
expect, after a crash, a lost store or the owner's own trading.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join((HEAD, *_states(), "", DRAWN, "", *_moves(), ""))


def picture() -> str:
    """The drawing on the page, as SVG: it needs no script and no network."""
    return drawing(list(Phase), TRANSITIONS)


def _states() -> Iterator[str]:
    yield "| state | what it means |"
    yield "| --- | --- |"
    yield from (f"| `{phase}` | {MEANING[phase]} |" for phase in Phase)


def _moves() -> Iterator[str]:
    yield "| from | to | because |"
    yield "| --- | --- | --- |"
    for (source, target), cause in TRANSITIONS.items():
        yield f"| `{source}` | `{target}` | {cause} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    DRAWING.write_text(picture(), encoding="utf-8")
