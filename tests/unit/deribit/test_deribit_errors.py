"""The tables of codes: complete for what we do, and cautious for what we do not know."""

import pytest

from tradebaas.deribit.errors import (
    MAYBE_ORDER,
    NO_ORDER,
    CallFailed,
    Garbled,
    Kind,
    LinkLost,
    LoginRefused,
    NotSent,
    Unanswered,
    doubt,
    kind_of,
    proves_no_order,
)


@pytest.mark.parametrize(
    "code, kind",
    [
        (10040, Kind.TRANSIENT),
        (11051, Kind.TRANSIENT),
        (13009, Kind.REAUTH),
        (11044, Kind.RECONCILE),
        (-32602, Kind.PROGRAMMER),
        (10027, Kind.PROGRAMMER),
        (10028, Kind.SESSION_ENDED),
        (10009, Kind.STOP),
        (11054, Kind.REFUSED),
        (99999, Kind.REFUSED),
    ],
)
def test_what_a_code_asks_for(code: int, kind: Kind) -> None:
    assert kind_of(code) is kind


def test_no_code_is_both_a_refusal_and_in_doubt() -> None:
    refusals = [code for codes in NO_ORDER.values() for code in codes]
    assert len(refusals) == len(set(refusals)), "listed under two reasons"
    assert not set(refusals) & set(MAYBE_ORDER)


@pytest.mark.parametrize("code", [11094, 13503, 10040, 10041, 10047, 10028, 10003, 424242])
def test_in_doubt_there_may_be_an_order(code: int) -> None:
    assert not proves_no_order(code)
    assert doubt(code)


@pytest.mark.parametrize("code", [-32602, 10009, 13888, 11054, 10005, 13009, 10021])
def test_explicit_refusals_prove_that_there_is_none(code: int) -> None:
    assert proves_no_order(code)


def test_what_never_went_out_is_told_apart_but_still_a_lost_link() -> None:
    assert issubclass(NotSent, LinkLost)
    assert issubclass(LoginRefused, LinkLost)
    assert issubclass(Garbled, Unanswered)
    assert not issubclass(Unanswered, LinkLost)


def test_messages_say_which_call_and_what() -> None:
    error = CallFailed("private/buy", 10009, "not_enough_funds", '{"x":1}')
    assert str(error) == 'private/buy: 10009 not_enough_funds {"x":1}'
    assert str(Garbled("m", "x" * 1000, "odd")).endswith("x" * 200)
