"""Whatever a client sends, it is answered, and the exchange goes on."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradebaas.paper.admin import ADMIN_METHODS
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.http_calls import TurnedAway, status_of, visit_of
from tradebaas.paper.market import GeneratedMarket
from tradebaas.paper.methods import METHODS
from tradebaas.paper.rpc import Front

T0 = 1_640_995_200_000
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["NaN", "sNaN", "Infinity", "1e400", "-0", "²", "9" * 5000, "BTC", "any"]),
    st.sampled_from(["BTC-PERPETUAL", "BTC_USDC-PERPETUAL", "market", "limit", "1", "all", "x"]),
    st.sampled_from([T0, T0 - 60_000, 10, 100, 50_000, 0.0001, 49_000.5]),
)
fields = sorted({name for method in METHODS.values() for name in method.params.__struct_fields__})


def new_front() -> Front:
    config = ExchangeConfig(directory=Path("/nowhere"), lockstep=True, admin=True)
    exchange = Exchange(config, GeneratedMarket(1, T0), None, lambda: "token")
    exchange.connect().logged_in = True
    exchange.take_step()
    return Front(exchange)


FRONT = new_front()


def answers(text: str) -> list[dict[str, Any]]:
    front, exchange = FRONT, FRONT.exchange
    (number,) = exchange.sessions or [exchange.connect().number]
    exchange.sessions[number].logged_in = True
    exchange.sessions[number].channels.clear()
    front.faults.rules.clear()
    front.receive(number, text, exchange.now_ms * 1000, T0, {"rate": 1})
    frames = exchange.take_step().frames
    return [msgspec.json.decode(frame, type=dict[str, Any]) for _, frame in frames]


@settings(max_examples=400)
@given(
    st.sampled_from(sorted({*METHODS, *ADMIN_METHODS} - {"private/logout", "admin/release"})),
    st.dictionaries(st.sampled_from(fields), scalars | st.lists(scalars, max_size=3), max_size=6),
)
@example("private/buy", {"instrument_name": "BTC-PERPETUAL", "otoco_config": 5})
@example("private/buy", {"instrument_name": "BTC-PERPETUAL", "amount": "1e400", "type": "market"})
@example("private/buy", {"instrument_name": "BTC-PERPETUAL", "amount": "sNaN", "type": "market"})
@example("private/get_trigger_order_history", {"currency": "any", "continuation": "²"})
@example("private/get_trigger_order_history", {"currency": "any", "continuation": "9" * 5000})
def test_any_parameters_are_answered(method: str, params: dict[str, Any]) -> None:
    text = msgspec.json.encode({"id": 1, "method": method, "params": params}).decode()
    assert [frame for frame in answers(text) if frame.get("id") == 1]


json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(max_examples=200)
@given(json.map(lambda value: msgspec.json.encode(value).decode()) | st.text())
@example('{"id":1,"method":"private/cancel","params":[1]}')
@example('{"id":null,"method":"public/test"}')
@example('{"id":1,"method":"public/test","params":' + '{"a":' * 6000 + "1" + "}" * 6001)
@example('{"id":1,"method":"public/test","params":{"a":' + "[" * 15_000 + "]" * 15_000 + "}}")
def test_any_text_is_answered(text: str) -> None:
    assert answers(text)


def over_http(verb: str, target: str, body: bytes) -> list[bytes]:
    """The answers to an HTTP request that is a call; none when it is turned away."""
    try:
        visit = visit_of(verb, target, "", body)
    except TurnedAway:
        return []
    session = FRONT.exchange.visit(visit.proof)
    session.logged_in = True
    FRONT.faults.rules.clear()
    FRONT.receive(session.number, visit.text, FRONT.exchange.now_ms * 1000, T0, {"rate": 1})
    FRONT.exchange.leave(session.number)
    frames = FRONT.exchange.take_step().frames
    return [frame for number, frame in frames if number == session.number]


values = st.sampled_from(
    ["[" * 9000, '{"a":' * 5000, "[[1]", "null", "NaN", "1e999", "\ud800", "%"]
)
queries = st.lists(
    st.tuples(
        st.sampled_from([*fields, "channels[]", "otoco_config[]", "label[]", "[]", ""]),
        values | scalars.map(str) | st.text(max_size=8),
    ),
    max_size=6,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(METHODS)), queries)
@example("private/buy", [("otoco_config", "[" * 9000)])
@example("private/buy", [("amount", "1e400")])
@example("private/get_positions", [("access_token", "x"), ("amount", "1e400")])
@example("private/buy", [("amount", "1" + "0" * 40)])
def test_any_query_is_answered(method: str, query: list[tuple[str, str]]) -> None:
    target = f"/api/v2/{method}?{urlencode(query, errors='replace')}"
    (frame,) = over_http("GET", target, b"")
    assert status_of(frame) in {200, 400}


@settings(max_examples=100)
@given(
    st.sampled_from(["", "/public/test", "/private/buy"]),
    st.binary() | json.map(msgspec.json.encode),
)
@example("/private/buy", b'{"method":' + b"[" * 9000)
@example("/private/buy", b'{"method":' + b"[" * 9000 + b"]" * 9000 + b"}")
def test_any_body_is_answered(path: str, body: bytes) -> None:
    (frame,) = over_http("POST", f"/api/v2{path}", body)
    assert status_of(frame) in {200, 400}


@settings(max_examples=300)
@given(st.sampled_from(["GET", "POST", "HEAD"]), st.text(max_size=60))
@example("GET", "http://[/api/v2/public/test")
def test_any_target_is_answered_or_turned_away(verb: str, target: str) -> None:
    assert len(over_http(verb, target, b"{}")) <= 1
