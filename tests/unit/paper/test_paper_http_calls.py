"""What an HTTP request is read as: the frame, the proof, and who is turned away."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tradebaas.paper.http_calls import TurnedAway, status_of, visit_of
from tradebaas.paper.keys import Key
from tradebaas.paper.params import Auth, Fork, Refused
from tradebaas.paper.sessions import Gate, Proof, Session

BTC = "BTC-PERPETUAL"
# The vector of the protocol's section 3: id, secret, time, nonce, request and signature.
CLIENT, SECRET, STAMP, NONCE = "exAmpLe1", "EXAMPLESECRET00", 1785000000123, "k7f2m9qa"
READ = "private/get_position"
TARGET = f"/api/v2/private/get_position?instrument_name={BTC}"
SIGNATURE = "ee92ec3b6651f1f3b7f5fb67d1ec5f228246d7e5385444c651eb15dcc636f9ca"


def sent(verb: str, target: str, body: str = "") -> Any:
    return json.loads(visit_of(verb, f"/api/v2/{target}", "", body.encode()).text)


def params(method: str, query: str) -> Any:
    frame = sent("GET", f"{method}?{query}")
    assert frame.keys() == {"jsonrpc", "method", "params"}  # a GET has no id
    assert frame["method"] == method
    return frame["params"]


@pytest.mark.parametrize(
    "method, query, wanted",
    [
        ("private/buy", "amount=10&price=40000.5&label=123&post_only=true&type=limit",
         {"amount": 10, "price": 40000.5, "label": "123", "post_only": True, "type": "limit"}),
        ("private/buy", "reduce_only=false&valid_until=1785000000123&label=true",
         {"reduce_only": False, "valid_until": 1785000000123, "label": "true"}),
        ("private/buy", "label=a+b%26c&trigger=null", {"label": "a b&c", "trigger": "null"}),
        ("private/buy", "amount=ten&price=&post_only=True",
         {"amount": "ten", "price": "", "post_only": "True"}),
        ("public/get_order_book", "depth=10&instrument_name=7",
         {"depth": 10, "instrument_name": "7"}),
        ("public/get_tradingview_chart_data", "resolution=1&start_timestamp=5",
         {"resolution": "1", "start_timestamp": 5}),
        ("public/subscribe", "channels[]=a.b&channels[]=7", {"channels": ["a.b", "7"]}),
        ("public/subscribe", "channels=" + quote('["a","b"]'), {"channels": ["a", "b"]}),
        ("public/subscribe", "channels=a&channels=b", {"channels": "b"}),
        ("public/subscribe", "channels[0]=a", {"channels[0]": "a"}),
        ("private/buy", urlencode([("otoco_config[]", '{"amount":5}'), ("otoco_config[]", "x")]),
         {"otoco_config": [{"amount": 5}, "x"]}),
        ("private/buy", urlencode({"otoco_config": '[{"amount":5,"label":"7"}]'}),
         {"otoco_config": [{"amount": 5, "label": "7"}]}),
        ("public/get_time", "unheard_of=5", {"unheard_of": "5"}),
        ("public/unheard_of", "amount=5", {"amount": "5"}),
        ("admin/price", "price=40000", {"price": 40000}),
    ],
)  # fmt: skip
def test_a_query_is_read_as_the_method_wants_it(method: str, query: str, wanted: Any) -> None:
    assert params(method, query) == wanted


def test_a_number_keeps_all_its_digits() -> None:
    text = "1234567890.123456789012345678"
    assert text in visit_of("GET", f"/api/v2/private/buy?amount={text}", "", b"").text
    body = f'{{"params":{{"amount":{text}}}}}'
    assert text in visit_of("POST", "/api/v2/private/buy", "", body.encode()).text


def test_a_body_may_leave_the_method_to_the_path() -> None:
    call = {"jsonrpc": "2.0", "id": 7, "method": "private/buy", "params": {"amount": 1}}
    bare = {key: value for key, value in call.items() if key != "method"}
    assert sent("POST", "", json.dumps(call)) == call
    assert sent("POST", "private/buy", json.dumps(call)) == call
    assert sent("POST", "private/buy", json.dumps(bare)) == call
    escaped = json.dumps(call).replace("private/buy", r"private\/buy")
    assert sent("POST", "private/buy", escaped) == call
    # Neither of two methods may be taken for the one that was meant.
    assert sent("POST", "private/sell", json.dumps(call))["method"] is None
    assert visit_of("POST", "/api/v2/private/sell", "", b"{x").text == "{x"


@pytest.mark.parametrize(
    "verb, target, status, allow",
    [
        ("GET", "/", 404, ""),
        ("GET", "/ws/api/v2", 404, ""),
        ("GET", "/api/v22/public/test", 404, ""),
        ("GET", "/api/v2", 405, "POST"),
        ("GET", "/api/v2/?method=public/test", 405, "POST"),
        ("PUT", "/api/v2", 405, "POST"),
        ("DELETE", "/api/v2/private/cancel_all", 405, "GET, POST"),
        ("get", "/api/v2/public/test", 405, "GET, POST"),
    ],
)
def test_what_is_no_call_is_turned_away(verb: str, target: str, status: int, allow: str) -> None:
    with pytest.raises(TurnedAway) as caught:
        visit_of(verb, target, "", b"")
    assert (caught.value.status, caught.value.allow) == (status, allow)


def test_a_proxy_may_name_the_host_as_well() -> None:
    frame = json.loads(visit_of("GET", "http://x:1/api/v2/public/test", "", b"").text)
    assert frame["method"] == "public/test"


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


def signed(**changed: object) -> str:
    parts = {"id": CLIENT, "ts": STAMP, "sig": SIGNATURE, "nonce": NONCE, **changed}
    return "deri-hmac-sha256 " + ",".join(f"{name}={value}" for name, value in parts.items())


@dataclass
class At:
    """An exchange's clock."""

    now_ms: int


def gate_of(new_token: Callable[[], str], now_ms: int = 0, rate: float = 1.0) -> Gate:
    return Gate([Key(client_id=CLIENT, secret=SECRET)], 900, new_token, At(now_ms), rate)


def outcome(
    authorization: str, target: str = TARGET, wall_ms: int = STAMP, body: str = "",
    now_ms: int = 0, rate: float = 1.0,
) -> int:  # fmt: skip
    """The code that a private call meets with a header; 0 if it is let through."""
    gate = gate_of(lambda: "token", now_ms, rate)
    proof = visit_of("GET", target, authorization, body.encode()).proof
    try:
        gate.check(Session(number=1, proof=proof), READ, None, wall_ms)
    except Refused as refused:
        return refused.code
    return 0


@pytest.mark.parametrize(
    "authorization, code",
    [
        ("", 13009),
        ("Negotiate abc", 13009),
        ("Bearer", 13009),
        ("Bearer unheard-of", 13009),
        (basic(f"{CLIENT}:{SECRET}"), 0),
        (basic(f"{CLIENT}:wrong"), 13004),
        (basic(f"other:{SECRET}"), 13004),
        (basic(CLIENT), 13004),
        ("basic " + basic(f"{CLIENT}:{SECRET}").split()[1], 0),
        ("Basic !", 13004),
        ("Basic ÿÿ", 13004),
        (signed(), 0),
        (signed().replace(",", ", "), 0),
        (signed(sig=SIGNATURE.replace("e", "f")), 13004),
        (signed(nonce="other"), 13004),
        (signed(ts=STAMP + 1), 13004),
        (signed(ts="x"), 13004),
        (signed(ts="9" * 5000), 13004),
        (signed(id="other"), 13004),
        ("deri-hmac-sha256", 13004),
    ],
)
def test_a_header_proves_who_calls(authorization: str, code: int) -> None:
    assert outcome(authorization) == code


def test_a_signature_is_for_one_request_at_one_time() -> None:
    assert outcome(signed(), wall_ms=STAMP + 60_000) == 0
    assert outcome(signed(), wall_ms=STAMP + 60_001) == 13004
    assert outcome(signed(), target=TARGET + "&x=1") == 13004
    assert outcome(signed(), body="{}") == 13004
    gate = gate_of(lambda: "token")
    proof = visit_of("GET", TARGET, signed(), b"").proof
    gate.check(Session(number=1, proof=proof), READ, None, STAMP)
    with pytest.raises(Refused, match="13004"):
        gate.check(Session(number=2, proof=proof), READ, None, STAMP)


def test_a_signature_may_be_stamped_with_the_exchanges_own_time() -> None:
    """Whatever real time is: the market may be an old one, or run at another pace."""
    for now_ms, rate, code in (
        (STAMP, 1.0, 0), (STAMP + 60_000, 1.0, 0), (STAMP - 60_001, 1.0, 13004),
        (STAMP + 60_001, 1.0, 13004), (STAMP + 18_000_000, 300.0, 0),
        (STAMP + 18_000_001, 300.0, 13004),
    ):  # fmt: skip
        assert outcome(signed(), wall_ms=0, now_ms=now_ms, rate=rate) == code


def test_tokens_of_a_connection_are_of_no_use_elsewhere() -> None:
    tokens = iter(f"t{number}" for number in range(9))
    gate = gate_of(lambda: next(tokens))
    login = Auth(grant_type="client_credentials", client_id=CLIENT, client_secret=SECRET)
    socket = Session(number=1)
    theirs = str(gate.login(socket, login, STAMP)["access_token"])
    ours = str(gate.login(Session(number=2, proof=Proof()), login, STAMP)["access_token"])
    gate.check(socket, READ, ours, STAMP)
    gate.check(Session(number=3, proof=Proof(token=ours)), READ, None, STAMP)
    with pytest.raises(Refused, match="13009"):
        gate.check(Session(number=4, proof=Proof(token=theirs)), READ, None, STAMP)


def test_a_token_can_be_asked_to_expire_sooner_but_not_later() -> None:
    tokens = iter(f"t{number}" for number in range(9))
    gate = gate_of(lambda: next(tokens))
    lives = []
    for scope in ("expires:60", "expires:5000", "expires:0", ""):
        login = Auth(
            grant_type="client_credentials", client_id=CLIENT, client_secret=SECRET, scope=scope
        )
        lives.append(gate.login(Session(number=1), login, STAMP)["expires_in"])
    assert lives == [60, 900, 900, 900]
    gate.check(Session(number=1), READ, "t0", STAMP + 59_999)
    with pytest.raises(Refused, match="13009"):
        gate.check(Session(number=1), READ, "t0", STAMP + 60_000)


def test_a_refresh_keeps_how_soon_its_tokens_expire() -> None:
    tokens = iter(f"t{number}" for number in range(9))
    gate = gate_of(lambda: next(tokens))
    login = Auth(
        grant_type="client_credentials", client_id=CLIENT, client_secret=SECRET, scope="expires:60"
    )
    first = gate.login(Session(number=1), login, STAMP)
    again = Auth(grant_type="refresh_token", refresh_token=str(first["refresh_token"]))
    assert gate.login(Session(number=1), again, STAMP)["expires_in"] == 60


def test_a_named_session_can_be_forked_and_no_other() -> None:
    tokens = iter(f"t{number}" for number in range(9))
    gate = gate_of(lambda: next(tokens))
    bound, named = (
        gate.login(
            Session(number=1),
            Auth(
                grant_type="client_credentials",
                client_id=CLIENT,
                client_secret=SECRET,
                scope=scope,
            ),
            STAMP,
        )
        for scope in ("", "session:one trade:read")
    )
    with pytest.raises(Refused, match="13004"):
        gate.fork(Session(number=1), fork_of(bound), STAMP)
    forked = gate.fork(Session(number=2), fork_of(named), STAMP)
    assert forked["scope"] == "account:read_write mainaccount trade:read session:two"
    for session, tokens_of in ((5, forked), (6, named)):
        gate.check(Session(number=session), READ, str(tokens_of["access_token"]), STAMP)
    gate.fork(Session(number=2), fork_of(named), STAMP)


def fork_of(tokens: dict[str, object]) -> Fork:
    return Fork(refresh_token=str(tokens["refresh_token"]), session_name="two")


@pytest.mark.parametrize(
    "frame, status",
    [
        (b'{"jsonrpc":"2.0","result":{"error":5}}', 200),
        (b'{"error":{"code":-32601,"message":"Method not found"}}', 400),
        (b'{"error":{"code":10028,"message":"too_many_requests"}}', 429),
        (b'{"jsonrpc":"2.0","resu', 502),
        (b"<html>", 502),
    ],
)
def test_the_status_says_how_it_went(frame: bytes, status: int) -> None:
    assert status_of(frame) == status


def test_a_key_has_sixteen_named_sessions_and_one_more_ends_the_oldest() -> None:
    tokens = iter(f"t{number}" for number in range(99))
    gate = gate_of(lambda: next(tokens))

    def opened(name: str) -> tuple[Session, dict[str, Any]]:
        session = Session(number=len(sockets) + 1)
        scope = f"session:{name}" if name else ""
        asked = Auth(
            grant_type="client_credentials", client_id=CLIENT, client_secret=SECRET, scope=scope
        )
        return session, gate.login(session, asked, STAMP)

    def lasts(named: tuple[Session, dict[str, Any]]) -> bool:
        session, granted = named
        told = []
        for who, token in ((session, None), (Session(number=90), granted["access_token"])):
            try:
                gate.check(who, READ, token, STAMP)
                told.append("")
            except Refused as refused:
                told.append(f"{refused.code} {refused.data}")
        assert told in ([""] * 2, ["13009 {'reason': 'invalid_token'}"] * 2)
        return told[0] == ""

    sockets: dict[str, tuple[Session, dict[str, Any]]] = {}
    for number in range(16):
        sockets[f"s{number}"] = opened(f"s{number}")
    unnamed = opened("")  # counts to none, and is ended by none
    assert all(map(lasts, sockets.values()))
    opened("s0")  # the oldest is renewed, and the next is the oldest
    opened("one more")
    assert [name for name, one in sockets.items() if not lasts(one)] == ["s1"]
    gate.check(unnamed[0], READ, None, STAMP)
    with pytest.raises(Refused, match="13004"):
        gate.fork(Session(number=91), fork_of(sockets["s1"][1]), STAMP)
    gate.fork(Session(number=91), fork_of(sockets["s5"][1]), STAMP)
    assert [name for name, one in sockets.items() if not lasts(one)] == ["s1", "s2"]
