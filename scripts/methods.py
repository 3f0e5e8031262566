"""Draws docs/exchange-methods.md from the registry of methods: ``python scripts/methods.py``.

A test compares the page with what this script makes, and calls each method to see that it is so.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tradebaas.paper.elsewhere import LISTS, NOT_FOUND, NOTHING, REFUSED, UNKNOWN_THINGS
from tradebaas.paper.methods import METHODS, OWN, WEBSOCKET_ONLY

PAGE = Path(__file__).parent.parent / "docs" / "exchange-methods.md"
HEAD = """\
# The methods of the embedded exchange

<!-- Made by scripts/methods.py from the registry of methods; do not edit by hand. -->

How `tradebaas exchange` answers each method of Deribit's API v2. *Answered* is what an ordinary
client needs of an exchange that has two perpetuals. *There are none* is the true answer to a
question about what does not exist here. *Refused* is what cannot be done here: 10033
`not_implemented`, with the reason in `error.data`; a private one asks for the login first. Whatever
is not on this page, Deribit's retired methods among it, is -32601 `Method not found`.
"""
OWN_NOTE = "answered; not Deribit's: it moves a market in lockstep"


def answers() -> dict[str, str]:
    """How each method is answered."""
    refused = {name: reason for reason, names in REFUSED.items() for name in names}
    empty = {**LISTS, **NOTHING}

    def of(name: str) -> str:
        if name in OWN:
            return OWN_NOTE
        if name in refused:
            return f"refused, 10033: {refused[name]}"
        if name in UNKNOWN_THINGS:
            return f"refused, {NOT_FOUND.code} `{NOT_FOUND.message}`: there are none"
        if name in empty:
            return f"there are none: `{msgspec.json.encode(empty[name]).decode()}`"
        return "answered, on WebSocket only" if name in WEBSOCKET_ONLY else "answered"

    return {name: of(name) for name in METHODS}


def page() -> str:
    """The whole page."""

    def lines() -> Iterator[str]:
        said = answers()
        yield HEAD
        for scope, title in (("public", "Public"), ("private", "Private")):
            yield f"## {title}\n"
            yield "| method | |\n| --- | --- |"
            names = sorted(name for name in said if name.startswith(f"{scope}/"))
            yield "\n".join(f"| `{name}` | {said[name]} |" for name in names)
            yield ""

    return "\n".join(lines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
