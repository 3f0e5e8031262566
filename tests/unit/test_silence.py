"""What is said while a direct halt waits stays one short line, however much is live."""

from types import SimpleNamespace
from typing import cast

from tradebaas.core.state import Pending, State
from tradebaas.direct.life import Life
from tradebaas.direct.silence import shown


def waiting_for(count: int) -> str:
    """What is said with so many orders of unknown outcome."""
    pending = {f"tb-{n}": cast(Pending, None) for n in range(count)}
    board = SimpleNamespace(link=SimpleNamespace(value=None))
    return shown(cast(Life, SimpleNamespace(view=State(pending=pending), board=board)))


def test_the_first_are_named_and_the_others_counted() -> None:
    assert waiting_for(0) == "the account was not read (flat before)"
    assert waiting_for(3).endswith(", of unknown outcome: tb-0 tb-1 tb-2")
    assert waiting_for(64).endswith(", of unknown outcome: tb-0 tb-1 tb-2 and 61 more")
