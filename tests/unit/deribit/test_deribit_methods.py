"""What the daemon can do to an account at all: the methods that its source names.

Stops are moved by edits in place, so that none is bare between two versions of it; nothing is
cancelled or closed wholesale, since the owner's orders would go with ours and an order without a
label cannot be proven.
"""

import ast
import re
from pathlib import Path

import tradebaas

ROOMS = ("actors", "deribit")
BUDGET = "credits.py"
"""It knows what each method costs, whether we use it or not."""
CHANGING = {
    "private/buy",
    "private/sell",
    "private/edit",
    "private/cancel",
    "private/subscribe",
    "private/disable_cancel_on_disconnect",
}


TWO_SHAPES = re.compile(r"private/get_user_trades_by_order|private/cancel_all\w*|user\.orders\b.*")
"""What is answered in one shape or in another, as nobody knows beforehand."""


def words(text: str) -> set[str]:
    """All text constants of a file."""
    constants = (n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def named(text: str) -> set[str]:
    """The private methods that are no reads."""
    return {word for word in words(text) if re.fullmatch(r"private/(?!get_)\w+", word)}


def in_two_shapes(text: str) -> set[str]:
    """What a file asks or hears that may come in either of two shapes."""
    return {word for word in words(text) if TWO_SHAPES.match(word)}


def sources() -> list[str]:
    """The files of which the daemon talks to the exchange."""
    source = Path(tradebaas.__file__).parent
    files = [path for room in ROOMS for path in (source / room).glob("*.py")]
    assert len(files) > 25
    return [path.read_text(encoding="utf-8") for path in files if path.name != BUDGET]


def test_nothing_is_asked_that_is_answered_in_two_shapes() -> None:
    assert set().union(*map(in_two_shapes, sources())) == set()
    text = 'A = f"user.orders.{name}.raw"\nB = "private/cancel_all", "private/cancel"'
    assert in_two_shapes(text) == {"user.orders.", "private/cancel_all"}


def test_the_account_is_changed_by_these_methods_and_no_other() -> None:
    assert set().union(*map(named, sources())) == CHANGING


def test_a_method_is_found_wherever_it_stands() -> None:
    text = 'A = {"x": ["private/edit"]}\nawait call("private/cancel_all")\nB = "private/get_x"'
    assert named(text) == {"private/edit", "private/cancel_all"}
