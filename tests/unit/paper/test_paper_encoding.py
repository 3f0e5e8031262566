"""Numbers in what leaves the exchange: plain digits, wherever they come from."""

import json
import re
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from paper_kit import BTC, FLAT, Lab, replay

from tradebaas.paper.encoding import encode

D = Decimal
EXPONENT = re.compile(r"\d[eE][+-]?\d")
TRAP = '",1E+5,"'
"""A text that looks like a number among others."""


def test_numbers_have_no_exponents_and_words_stay_as_they_are() -> None:
    value = {
        "a": [D("1E+1"), D("-2.5E-8"), D("0E-12"), D("1.50"), D("1E+20"), 3],
        "label": TRAP, "1E+5": "\\", "b": D("7E+2"), "c": ":1E-9",
    }  # fmt: skip
    text = encode(value).decode()
    assert text == (
        '{"a":[10,-0.000000025,0.000000000000,1.50,100000000000000000000,3],'
        '"label":"\\",1E+5,\\"","1E+5":"\\\\","b":700,"c":":1E-9"}'
    )


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda number: -40 < number.adjusted() < 40
)
VALUES = st.recursive(
    NUMBERS | st.text(alphabet='"\\,:[]{}1Ee+-.5 ', max_size=12) | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_read_is_what_was_meant(value: object) -> None:
    text = encode(value).decode()
    assert json.loads(text, parse_float=D, parse_int=D) == value


@given(NUMBERS)
def test_no_number_is_written_with_an_exponent(number: Decimal) -> None:
    text = encode({"price": number}).decode()
    assert not EXPONENT.search(text)
    assert D(text.removeprefix('{"price":').removesuffix("}")) == number


def test_a_client_that_writes_exponents_is_answered_without() -> None:
    lab = Lab(replay(FLAT, FLAT))
    lab.call("private/subscribe", channels=["user.changes.any.any.raw", "user.portfolio.btc"])
    params = f'"instrument_name":"{BTC}","amount":1e1,"type":"limit","price":7.9e4,"label":"1E+5"'
    text = f'{{"id":1,"method":"private/buy","params":{{{params}}}}}'
    lab.front.receive(lab.session, text, lab.exchange.now_ms * 1000, lab.wall_ms, {})
    step = lab.exchange.take_step()
    frames = [frame.decode() for _, frame in step.frames]
    assert len(frames) == 3
    for told in (*frames, *(record.body.decode() for record in step.records)):
        assert not EXPONENT.search(told.replace('"1E+5"', ""))
    order = json.loads(frames[0])["result"]["order"]
    assert (order["amount"], order["price"], order["label"]) == (10, 79_000, "1E+5")
