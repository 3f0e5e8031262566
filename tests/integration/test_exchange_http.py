"""The embedded exchange over HTTP, on real sockets, with a client that knows nothing of it."""

import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest
import trio
from exchange_socket_kit import BTC, BUY, Client, connect, dialled, serving
from trio_websocket import ConnectionRejected, wrap_client_stream

from tradebaas.paper import steps
from tradebaas.paper.methods import METHODS, WEBSOCKET_ONLY
from tradebaas.paper.streams import GONE, peer_of
from tradebaas.runtime.ports import system_ports

OWNER = ("paper", "paper-secret")
LOGIN = {"grant_type": "client_credentials", "client_id": OWNER[0], "client_secret": OWNER[1]}
RESTING = {**BUY, "type": "limit", "price": 40_000}


def bare(scope: str) -> list[str]:
    """The methods of a scope that need no parameters."""
    return sorted(
        name
        for name, method in METHODS.items()
        if name.startswith(scope)
        and len(method.params.__struct_fields__) == len(method.params.__struct_defaults__)
    )


@asynccontextmanager
async def browsing(url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An ordinary HTTP client of the exchange that listens at a WebSocket's ``url``."""
    base = url.replace("ws://", "http://").replace("/ws/", "/")
    async with httpx.AsyncClient(base_url=base, timeout=20, **settings) as client:
        yield client


@asynccontextmanager
async def both(directory: Path, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Client]]:
    """The owner's clients of one exchange: over HTTP, and over WebSocket."""
    async with (
        serving(directory, **settings) as url,
        browsing(url, auth=OWNER) as http,
        connect(url) as socket,
    ):
        await socket.login()
        yield http, socket


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds that nobody is told of."""
    with trio.fail_after(30):
        while not await holds():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def got(client: httpx.AsyncClient, method: str, /, **params: Any) -> Any:
    """The result of a GET, or its error."""
    return result_of(await client.get(method, params=params))


async def posted(client: httpx.AsyncClient, method: str, /, **params: Any) -> Any:
    """The result of a POST, or its error."""
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    response = await client.post("", json=body)
    assert response.json()["id"] == 7
    return result_of(response)


def result_of(response: httpx.Response) -> Any:
    assert response.headers["content-type"] == "application/json"
    frame = response.json()
    assert {"jsonrpc", "usIn", "usOut", "usDiff", "testnet"} < frame.keys()
    assert response.status_code == (200 if "result" in frame else 400)
    return frame["result"] if "result" in frame else frame["error"]


def test_there_are_methods_that_need_no_parameters() -> None:
    assert {"public/get_time", "public/get_instruments"} < set(bare("public/"))
    assert {"private/get_positions", "private/get_open_orders"} < set(bare("private/get_"))


async def test_every_way_in_gives_the_same_answer(tmp_path: Path) -> None:
    """Time is made to stand still, so there is nothing that may differ."""
    async with both(tmp_path, lockstep=True) as (http, socket):
        await socket.call("admin/pause")
        for method in [*bare("public/"), *bare("private/get_")]:
            ways = [await got(http, method), await posted(http, method)]
            if method in WEBSOCKET_ONLY:
                wanted: Any = {"code": 10030, "message": "must_be_websocket_request"}
            else:
                wanted = await socket.call(method)
            assert (method, ways) == (method, [wanted, wanted])


async def test_what_is_about_a_connection_needs_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http:
        codes = {method: (await got(http, method))["code"] for method in WEBSOCKET_ONLY}
        assert codes == dict.fromkeys(WEBSOCKET_ONLY, 10030)


async def test_an_order_is_placed_read_and_cancelled(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url) as http:
        token = (await got(http, "public/auth", **LOGIN))["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        book = await got(http, "public/get_order_book", instrument_name=BTC, depth=1)
        assert book["bids"][0][0] < book["asks"][0][0]
        order = (await got(http, "private/buy", **RESTING, label="17", post_only="true"))["order"]
        assert (order["label"], order["post_only"]) == ("17", True)
        assert await got(http, "private/get_open_orders", currency="BTC") == [order]
        wanted = {"order_id": order["order_id"]}
        cancelled = await posted(http, "private/cancel", **wanted)
        assert cancelled["order_state"] == "cancelled"
        assert await got(http, "private/get_order_state", **wanted) == cancelled
        assert (await got(http, "private/cancel", **wanted))["code"] == 11044
        filled = (await posted(http, "private/sell", **BUY, label="market"))["order"]
        assert filled["order_state"] == "filled"
        assert (await got(http, "private/get_position", instrument_name=BTC))["size"] == -10


async def test_a_bracket_comes_in_a_query_too(tmp_path: Path) -> None:
    leg = {"direction": "sell", "amount": 10, "reduce_only": True}
    legs = [
        {**leg, "type": "limit", "price": 60_000},
        {**leg, "type": "stop_market", "trigger": "mark_price", "trigger_price": 40_000},
    ]
    linked = {"linked_order_type": "one_triggers_one_cancels_other", **BUY}
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http:
        await got(http, "private/buy", **linked, otoco_config=json.dumps(legs))
        listed = {"otoco_config[]": [json.dumps(item) for item in legs]}
        await got(http, "private/buy", **linked, **listed)
        live = await got(http, "private/get_open_orders", type="all")
        assert [order["direction"] for order in live] == ["sell"] * 4


async def test_each_way_to_log_in(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url) as http, connect(url) as socket:
        here = (await got(http, "public/auth", **LOGIN))["access_token"]
        theirs = (await socket.call("public/auth", **LOGIN))["access_token"]
        shared = (await socket.call("public/auth", **LOGIN, scope="session:x"))["access_token"]
        headers: list[tuple[dict[str, str], int]] = [
            ({}, 13009),
            (bearer(here), 0),
            (bearer(shared), 0),
            (bearer(theirs), 13009),  # it belongs to the WebSocket
            (bearer("nonsense"), 13009),
            (signed(http, "private/get_positions"), 0),
            (signed(http, "private/get_position"), 13004),
            ({"Authorization": "Basic cGFwZXI6cGFwZXItc2VjcmV0"}, 0),  # paper:paper-secret
            ({"Authorization": "Basic cGFwZXI6d3Jvbmc="}, 13004),  # paper:wrong
            ({}, 13009),  # what the call before has shown on this connection is forgotten
        ]
        for header, code in headers:
            result = result_of(await http.get("private/get_positions", headers=header))
            assert (header, result["code"] if code else result) == (header, code or [])
        assert await got(http, "private/get_positions", access_token=here) == []
        assert await socket.call("private/get_positions", access_token=here) == []


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(http: httpx.AsyncClient, method: str) -> dict[str, str]:
    stamp, nonce = system_ports().clock.wall_ms(), method
    text = f"{stamp}\n{nonce}\nGET\n{http.base_url.path}{method}\n\n"
    signature = hmac.new(OWNER[1].encode(), text.encode(), sha256).hexdigest()
    parts = f"id={OWNER[0]},ts={stamp},sig={signature},nonce={nonce}"
    return {"Authorization": f"deri-hmac-sha256 {parts}"}


Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
ERRORS: list[tuple[Ask, int, Any]] = [
    (lambda http: http.get("public/nonsense"), -32601, None),
    (
        lambda http: http.get("public/ticker"),
        -32602,
        {"reason": "value is required", "param": "instrument_name"},
    ),
    (
        lambda http: http.get("private/buy", params={**RESTING, "post_only": "True"}),
        -32602,
        {"reason": "invalid value", "param": "post_only"},
    ),
    (
        lambda http: http.get("private/buy", params={**RESTING, "otoco_config": "x"}),
        -32602,
        {"reason": "value must be a list", "param": "otoco_config"},
    ),
    (
        lambda http: http.get("private/buy", params={**RESTING, "price": 40_000.3}),
        -32602,
        {"reason": "must conform to tick size", "param": "price"},
    ),
    (lambda http: http.post("", content=b"{nonsense"), 11050, "invalid json"),
    (lambda http: http.post("", content=b""), 11050, "invalid json"),
    (lambda http: http.post("", content=b"[" * 30_000), 11050, "invalid json"),
    (lambda http: http.post("", content=b"[]"), -32600, None),
    (lambda http: http.post("", content=b"{}"), -32600, None),
    (lambda http: http.post("public/test", content=b" " * 32 * 1024 + b"{}"), -32600, None),
    (lambda http: http.post("private/sell", json={"method": "private/buy"}), -32600, None),
    (lambda http: http.post("", content=b" " * 32 * 1024 + b"{}"), -32600, None),
]


async def test_errors_have_the_shape_of_deribits(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http:
        for number, (ask, code, data) in enumerate(ERRORS):
            error = result_of(await ask(http))
            assert (number, error["code"], error.get("data")) == (number, code, data)


async def test_wrong_paths_and_verbs_are_told_where_to_go(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url) as http:
        for path in ("/", "/ws/api/v2", "/api/v1/public/test"):
            response = await http.get(f"{str(http.base_url).removesuffix('/api/v2/')}{path}")
            assert (response.status_code, "/api/v2/<method>" in response.text) == (404, True)
        for verb in ("PUT", "DELETE", "HEAD", "OPTIONS"):
            response = await http.request(verb, "public/test")
            assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
        assert (await http.get("")).status_code == 405


async def test_both_transports_at_once_are_one_account(tmp_path: Path) -> None:
    async with both(tmp_path) as (http, socket):
        channel = f"user.changes.{BTC}.raw"
        await socket.call("private/subscribe", channels=[channel])
        order = (await posted(http, "private/buy", **RESTING, label="http"))["order"]
        told = (await socket.next())["params"]
        assert (told["channel"], told["data"]["orders"]) == (channel, [order])
        placed = (await socket.call("private/buy", **RESTING, label="socket"))["order"]
        assert await got(http, "private/get_open_orders") == [order, placed]


async def test_what_a_single_call_placed_stays(tmp_path: Path) -> None:
    """The account's default for connections cancels the orders of those, and of no calls."""
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http:
        async with connect(url) as socket:
            await socket.login()
            await socket.call("private/enable_cancel_on_disconnect", scope="account")
        async with connect(url) as socket:
            await socket.login()
            await socket.call("private/buy", **RESTING, label="socket")
            await got(http, "private/buy", **RESTING, label="http")

        async def parted() -> bool:
            live = await got(http, "private/get_open_orders")
            return [order["label"] for order in live] == ["http"]

        await eventually(parted)


async def test_calls_of_both_transports_draw_from_the_same_credits(tmp_path: Path) -> None:
    async with both(tmp_path, speed=0.001) as (http, socket):
        for _ in range(10):
            assert "order" in await socket.call("private/buy", **RESTING)
        responses = [await http.get("private/buy", params=RESTING) for _ in range(12)]
        assert [response.status_code for response in responses] == [200] * 10 + [429] * 2
        assert responses[-1].json()["error"]["code"] == 10028
        # Nothing is cut over HTTP, and the WebSocket is not the one that called too often.
        assert "retry-after" not in responses[-1].headers
        assert "connection" not in responses[-1].headers
        assert await got(http, "public/test") == await socket.call("public/test")


async def test_faults_are_done_to_calls_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ANSWER_S", 0.5)
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http, connect(url) as driver:
        cuts = [
            ("admin/lose_answer", "lost"),
            ("admin/refuse_before", "swallowed"),
            ("admin/hold", "held too long"),
        ]
        for fault, label in cuts:
            await driver.call(fault, method="private/buy")
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get("private/buy", params={**BUY, "label": label})
        await driver.call("admin/release")
        await driver.call("admin/reject", method="private/buy", code=10047, message="full")
        assert (await got(http, "private/buy", **BUY))["code"] == 10047
        trades = (await driver.call("admin/ledger"))["trades"]
        assert [trade["label"] for trade in trades] == ["lost", "held too long"]


async def test_a_held_answer_comes_with_its_release(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http, connect(url) as driver:
        await driver.call("admin/hold", method="private/buy")
        held: list[Any] = []

        async def buy() -> None:
            held.append(await got(http, "private/buy", **BUY, label="held"))

        async def waits() -> bool:
            clients: int = (await driver.call("admin/state"))["clients"]
            return clients == 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(buy)
            await eventually(waits)
            assert await driver.call("admin/frame", text="for WebSockets alone") == 0
            assert not held
            assert await driver.call("admin/release") == 1
        assert held[0]["order"]["label"] == "held"


async def test_what_is_answered_is_in_the_journal(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url, auth=OWNER) as http:
        await got(http, "private/buy", **BUY, access_token="wrong-token")
        order = (await got(http, "private/buy", **BUY))["order"]
        await got(http, "public/get_time")
        database = apsw.Connection(str(tmp_path / "exchange.db"), apsw.SQLITE_OPEN_READONLY)
        rows = database.execute("SELECT kind, body FROM journal ORDER BY n").fetchall()
        database.close()
    lines = [(kind, json.loads(str(body))) for kind, body in rows]
    refused, accepted = [body for kind, body in lines if kind == "request"]
    assert refused["outcome"]["error"]["code"] == 13009
    assert accepted["outcome"]["order"]["order_id"] == order["order_id"]
    assert accepted["params"]["amount"] == 10
    assert not any(word in str(lines) for word in ("paper-secret", "wrong-token"))
    # A call that changed nothing has left nothing.
    assert "session" not in {kind for kind, _ in lines}


async def test_admin_methods_need_an_exchange_that_allows_them(tmp_path: Path) -> None:
    async with serving(tmp_path, admin=False) as url, browsing(url, auth=OWNER) as http:
        assert (await got(http, "admin/state"))["code"] == -32601
    async with serving(tmp_path, admin=True) as url, browsing(url) as http:
        assert (await got(http, "admin/state"))["clients"] == 0


async def test_in_maintenance_the_front_answers(tmp_path: Path) -> None:
    async with serving(tmp_path) as url, browsing(url) as http:
        assert await got(http, "admin/maintenance", after_ms=0, for_ms=60_000) == "ok"

        async def shut() -> bool:
            return (await http.get("public/status")).status_code == 502

        await eventually(shut)
        with pytest.RaisesGroup(ConnectionRejected):
            async with connect(url):
                pass
        # Who began it can look, and end it, whatever form the call has.
        assert (await got(http, "admin/state"))["clients"] == 0
        body = {"method": "admin/maintenance", "params": {"after_ms": 0, "for_ms": 0}}
        assert (await http.post("", json=body)).json()["result"] == "ok"
        assert (await http.get("public/status")).status_code == 200


async def test_a_websocket_is_opened_on_the_connection_of_the_last_request(tmp_path: Path) -> None:
    """As HTTP clients do that keep a connection for later and take it for the upgrade."""
    request = b"GET /api/v2/public/get_time HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(tmp_path) as url, dialled(url) as stream, trio.open_nursery() as tasks:
        for _ in range(2):
            await stream.send_all(request)
            answer = b""
            while b"usDiff" not in answer or not answer.endswith(b"}"):
                answer += await stream.receive_some()
            assert answer.startswith(b"HTTP/1.1 200 ")
        client = Client(await wrap_client_stream(tasks, stream, "x", "/ws/api/v2"))
        await client.login()
        bought = await client.call("private/buy", **BUY)
        assert bought["order"]["order_state"] == "filled"
        tasks.cancel_scope.cancel()


async def test_the_address_of_a_client_is_known(tmp_path: Path) -> None:
    async with both(tmp_path) as (http, socket):
        await http.get("/public/auth", params=LOGIN)
        log = await socket.call("private/get_access_log")
        assert [row["ip"] for row in log["data"]] == ["127.0.0.1", "127.0.0.1"]


async def test_who_is_gone_comes_from_nowhere() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        caller = await trio.open_tcp_stream(*listener.socket.getsockname())
        here = await listener.accept()
        assert peer_of(here) == "127.0.0.1"
        await here.aclose()
        assert peer_of(here) == GONE
        await caller.aclose()


# -- pages ----------------------------------------------------------------------------------------

PAGES: list[dict[str, str]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://evil.example", "Host": "evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "same-origin", "Host": "evil.example:8022"},
]


@pytest.mark.parametrize("page", PAGES, ids=str)
async def test_a_web_page_steers_nothing(tmp_path: Path, page: dict[str, str]) -> None:
    async with both(tmp_path) as (http, _):
        response = await http.get("admin/price?price=40000", headers=page)
        assert (response.status_code, "web page" in response.text) == (403, True)
        own = str(http.base_url).partition("/api")[0]
        after = await http.get(f"public/ticker?instrument_name={BTC}", headers={"Origin": own})
        assert result_of(after)["index_price"] > 45_000


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", b"403"), ("null", b"403"), ("http://127.0.0.1:8022", b"101")],
)
async def test_a_web_page_opens_no_websocket(tmp_path: Path, origin: str, status: bytes) -> None:
    async with serving(tmp_path) as url:
        port = int(url.split(":")[2].partition("/")[0])
        head = (
            f"GET /ws/api/v2 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(head.encode())
            with trio.fail_after(10):
                answer = await stream.receive_some(4096)
        assert answer.split()[1] == status
