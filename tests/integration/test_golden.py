"""Golden sessions: the crew says what it said, byte by byte, and earns what the page works out.

The arithmetic here is done in exact fractions from the frames of the transcript, and imports
nothing that computes money.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from golden_kit import SESSIONS, Came, Session, play, record

from tradebaas.core.model import Trade
from tradebaas.deribit import transcript
from tradebaas.deribit.rpc import text_of
from tradebaas.deribit.transcript import IN, OUT

PAGE = Path(__file__).parents[2] / "docs" / "arithmetic.md"
RATES = {"taker": Fraction(35, 100_000), "maker": Fraction(15, 100_000)}
LIQUIDITY = {"T": "taker", "M": "maker"}
BOTH = pytest.mark.parametrize("session", SESSIONS.values(), ids=list(SESSIONS))


class Row(NamedTuple):
    """A fill on the page, and in a transcript (there its worth is worked out)."""

    side: str
    liquidity: str
    amount: Decimal
    price: Decimal
    worth: Decimal
    fee: Decimal


def text_of_session(session: Session) -> str:
    return session.file.read_text(encoding="utf-8")


@cache
def played(name: str) -> Came:
    return play(SESSIONS[name], text_of_session(SESSIONS[name]))


def heard(session: Session) -> Iterator[dict[str, Any]]:
    """What the exchange said."""
    _, lines = transcript.read(text_of_session(session))
    for line in lines:
        if line.way == IN:
            yield json.loads(text_of(line.frame), parse_float=Decimal, parse_int=Decimal)


def notes(session: Session, channel: str) -> Iterator[dict[str, Any]]:
    for frame in heard(session):
        params = frame.get("params", {})
        if params.get("channel", "").startswith(channel):
            yield params["data"]


# ------------------------------------------------------------------------------- the conversation


@BOTH
def test_every_request_is_made_again_byte_by_byte(session: Session) -> None:
    _, lines = transcript.read(text_of_session(session))
    asked = [text_of(line.frame) for line in lines if line.way == OUT]
    assert len(asked) > 10
    assert [text_of(request) for request in played(session.name).requests] == asked


@BOTH
def test_a_session_is_whole(session: Session) -> None:
    """From the login to the closed bracket, through an entry with both of its legs."""
    asked = [json.loads(text_of(request)) for request in played(session.name).requests]
    methods = [request["method"] for request in asked]
    assert methods[:2] == ["public/hello", "public/auth"]
    entries = [request["params"] for request in asked if request["method"] == "private/buy"]
    assert [len(entry["otoco_config"]) for entry in entries] == [2]
    assert [trade.instrument for trade in played(session.name).trades] == [session.instrument]
    told = (order for data in notes(session, "user.changes") for order in data["orders"])
    states = {order["order_id"]: order["order_state"] for order in told}
    assert set(states.values()) <= {"filled", "cancelled", "triggered"}


@pytest.mark.parametrize(
    "old, new",
    [
        ('"time_in_force":"immediate_or_cancel"', '"time_in_force":"good_til_cancelled"'),
        ('"post_only":false', '"post_only":true'),
        ('"valid_until":17', '"valid_until":18'),
        ('"method":"public/status"', '"method":"public/test"'),
    ],
)
def test_a_request_that_differs_is_noticed(old: str, new: str) -> None:
    session = SESSIONS["inverse"]
    text = text_of_session(session)
    assert old in text
    with pytest.raises(ExceptionGroup) as caught:
        play(session, text.replace(old, new, 1))
    assert "it says something else" in str(_leaf(caught.value))


def test_what_is_left_unsaid_is_noticed() -> None:
    session = SESSIONS["linear"]
    *lines, end = text_of_session(session).splitlines(keepends=True)
    extra = next(line for line in lines if '"way":"out"' in line)
    with pytest.raises(AssertionError, match="were not played"):
        play(session, "".join([*lines, extra, end]))


@BOTH
def test_a_session_can_be_recorded_anew(session: Session) -> None:
    text, came = record(session)
    again = play(session, text)
    assert again == came
    assert len(again.trades) == 1


@BOTH
def test_a_transcript_keeps_no_secret(session: Session) -> None:
    text = text_of_session(session)
    assert "paper" not in text.replace("paper-1", "").replace("paper.", "")
    for field in ("client_id", "signature", "nonce", "access_token", "refresh_token"):
        assert set(re.findall(rf'"{field}":("[^"]*")', text)) == {'"***"'}, field
    ids = {frame["result"]["id"] for frame in heard(session) if _names_account(frame)}
    assert ids == {1}


def _names_account(frame: dict[str, Any]) -> bool:
    result = frame.get("result")
    return isinstance(result, dict) and "username" in result


def _leaf(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


# ------------------------------------------------------------------------------------- the money


def rounded(exact: Fraction, digits: int) -> Decimal:
    """Half-even, as ``round`` of a fraction is."""
    return Decimal(round(exact * 10**digits)).scaleb(-digits)


def worked_out(session: Session) -> list[Row]:
    """The fills as the exchange told them; their worth and fees by exact fractions."""
    inverse = session.name == "inverse"
    rows = []
    for data in notes(session, "user.changes"):
        for told in data["trades"]:
            amount, price = Fraction(told["amount"]), Fraction(told["price"])
            liquidity = LIQUIDITY[told["liquidity"]]
            worth = rounded(amount / price if inverse else amount * price, 12)
            fee = rounded(Fraction(worth) * RATES[liquidity], 12 if inverse else 8)
            assert fee == told["fee"]
            side, amount_, price_ = told["direction"], told["amount"], told["price"]
            rows.append(Row(side, liquidity, amount_, price_, worth, fee))
    return rows


def results(session: Session) -> dict[str, Decimal]:
    """What the fills of a long amount to."""
    inverse, rows = session.name == "inverse", worked_out(session)

    def total(side: str) -> tuple[Fraction, Fraction]:
        mine = [row for row in rows if row.side == side]
        return sum(Fraction(row.amount) for row in mine), sum(Fraction(row.worth) for row in mine)  # type: ignore[return-value]

    (bought, entry), (sold, exit_) = total("buy"), total("sell")
    assert bought == sold
    gross = entry - exit_ if inverse else exit_ - entry
    fees = sum(Fraction(row.fee) for row in rows)
    found = {
        "worth of the entry": rounded(entry, 12),
        "worth of the exit": rounded(exit_, 12),
        "gross": rounded(gross, 12),
        "fees": rounded(Fraction(fees), 12),
        "net": rounded(gross - fees, 12),
    }
    average = (bought / entry, sold / exit_) if inverse else (entry / bought, exit_ / sold)
    return found | {
        "average entry": rounded(average[0], 4),
        "average exit": rounded(average[1], 4),
    }


def tables(session: Session) -> tuple[list[Row], dict[str, Decimal]]:
    """The two tables of the page's section."""
    text = PAGE.read_text(encoding="utf-8")
    section = next(
        part for part in text.split("\n## ") if session.instrument in part.split("\n")[0]
    )
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in section.splitlines()]
    fills = [
        Row(side, liquidity, *map(Decimal, numbers))
        for side, liquidity, *numbers in (row for row in cells if len(row) == 6)
        if side in ("buy", "sell")
    ]
    known = results(session)
    return fills, {row[0]: Decimal(row[1]) for row in cells if row[0] in known}


@BOTH
def test_the_page_is_worked_out_right(session: Session) -> None:
    fills, sums = tables(session)
    assert len(fills) >= 4
    assert fills == worked_out(session)
    assert sums == results(session)


@BOTH
def test_the_daemon_earns_what_the_page_says_to_the_last_digit(session: Session) -> None:
    (trade,) = played(session.name).trades
    found = results(session)
    assert isinstance(trade, Trade)
    assert trade.gross == found["gross"]
    assert trade.fees == found["fees"]
    assert trade.net == found["net"]
    assert trade.entry_price == found["average entry"]
    assert trade.exit_price == found["average exit"]
    assert trade.amount == sum(row.amount for row in worked_out(session) if row.side == "buy")


@BOTH
def test_the_equity_changes_by_the_net(session: Session) -> None:
    """The balance changes by the fees alone until 08:00, when the day's profit is moved to it."""
    summaries = (frame["result"] for frame in heard(session) if _names_account(frame))
    before, after = next(summaries), list(notes(session, "user.portfolio"))[-1]
    known = results(session)
    assert after["equity"] - before["equity"] == known["net"]
    assert before["balance"] - after["balance"] == known["fees"]


def test_the_two_contracts_are_not_computed_alike() -> None:
    """A distance that wins 1 % linearly costs another share of coins inversely."""
    inverse, linear = (results(session) for session in SESSIONS.values())
    assert inverse["gross"] < 0 < linear["gross"]
    entry, out = inverse["average entry"], inverse["average exit"]
    linearly = Fraction(out - entry) / Fraction(entry)
    assert Fraction(inverse["gross"]) / Fraction(inverse["worth of the entry"]) < linearly
