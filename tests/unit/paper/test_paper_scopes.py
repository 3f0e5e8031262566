"""What a login may do, by the scope that it asked for (protocol section 3)."""

import pytest

from tradebaas.paper.methods import METHODS
from tradebaas.paper.scopes import FULL, allows, granted, worded

READER = granted("account:read trade:read")
PRIVATE = sorted(name for name in METHODS if name.startswith("private/"))


@pytest.mark.parametrize("asked", ["", "connection", "session:bot", "wallet:read nonsense"])
def test_what_is_not_named_is_had_as_the_key_has_it(asked: str) -> None:
    assert granted(asked) == FULL


@pytest.mark.parametrize("method", PRIVATE)
def test_a_full_scope_may_call_everything(method: str) -> None:
    assert allows(FULL, method)


def unscoped(name: str) -> str:
    return name.removeprefix("private/")


def test_a_reader_may_read_and_change_nothing() -> None:
    refused = {unscoped(name) for name in PRIVATE if not allows(READER, name)}
    reads = ("get_", "list_", "simulate_", "pme/simulate", "subscribe", "unsubscribe", "logout")
    assert refused == {name for name in map(unscoped, PRIVATE) if not name.startswith(reads)}
    assert {"buy", "edit", "cancel_all", "enable_cancel_on_disconnect", "withdraw"} <= refused


def test_none_refuses_even_reads() -> None:
    levels = granted("trade:none")
    assert not allows(levels, "private/get_positions")
    assert allows(levels, "private/get_account_summary")
    assert allows(levels, "private/subscribe")


def test_nobody_gets_more_than_the_key_has() -> None:
    assert granted("trade:read_write trade:read")["trade"] == "read"
    assert worded(READER, ["session:audit"]) == "account:read mainaccount trade:read session:audit"
