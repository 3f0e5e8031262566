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


def named(text: str) -> set[str]:
    """The private methods that are no reads, among all text constants of a file."""
    constants = (n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant))
    words = (value for value in constants if isinstance(value, str))
    return {word for word in words if re.fullmatch(r"private/(?!get_)\w+", word)}


def test_the_account_is_changed_by_these_methods_and_no_other() -> None:
    source = Path(tradebaas.__file__).parent
    files = [path for room in ROOMS for path in (source / room).glob("*.py")]
    assert len(files) > 25
    found = [named(p.read_text(encoding="utf-8")) for p in files if p.name != BUDGET]
    assert set().union(*found) == CHANGING


def test_a_method_is_found_wherever_it_stands() -> None:
    text = 'A = {"x": ["private/edit"]}\nawait call("private/cancel_all")\nB = "private/get_x"'
    assert named(text) == {"private/edit", "private/cancel_all"}
