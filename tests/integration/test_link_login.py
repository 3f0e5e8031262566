"""Connecting and logging in, and every way in which that can fail: always as ``LinkLost``."""

import socket
from decimal import Decimal

import pytest
import trio
from link_kit import EPOCH_MS, Exchange, linked
from trio.testing import MockClock

from tradebaas.deribit.auth import signature
from tradebaas.deribit.link import LinkLost
from tradebaas.errors import ConfigError
from tradebaas.words import REFUSED_LOGIN


async def test_what_is_said_first() -> None:
    async with linked() as (link, exchange):
        assert [asked.method for asked in exchange.log] == [
            "public/hello",
            "public/auth",
            "public/set_heartbeat",
            "private/get_cancel_on_disconnect",
        ]
        assert exchange.log[2].params == {"interval": 10}
        assert exchange.targets == [("exchange.test", 80, False)]
        assert (link.alive, link.url) == (True, "ws://exchange.test/ws/api/v2")
    assert not link.alive


async def test_a_signed_login_never_sends_the_secret(mock_clock: MockClock) -> None:
    async with linked() as (_, exchange):
        params = exchange.methods("public/auth")[0].params
        signed = signature("S3CRET", params["timestamp"], params["nonce"])
        assert params["signature"] == signed
        assert params["timestamp"] == EPOCH_MS  # the virtual clock has not moved
        assert "S3CRET" not in str([asked.params for asked in exchange.log])


async def test_a_login_with_credentials() -> None:
    async with Exchange().serving() as exchange, exchange.link("client_credentials"):
        assert exchange.methods("public/auth")[0].params == {
            "grant_type": "client_credentials",
            "client_id": "id",
            "client_secret": "S3CRET",
        }


async def test_the_clock_is_taken_over_from_the_hello() -> None:
    async with Exchange().serving() as exchange:
        clock = {"epoch": 5, "rate": 60.0, "lockstep": False, "wall": 5}
        exchange.logins["public/hello"] = lambda _: {"result": {"version": "x", "clock": clock}}
        async with exchange.link() as link:
            assert (link.clock.rate, link.clock.lockstep) == (Decimal(60), False)


async def test_deribit_does_not_state_its_clock(autojump_clock: MockClock) -> None:
    async with linked() as (link, exchange):
        assert (link.clock.rate, link.clock.lockstep) == (Decimal(1), False)
        now = exchange.ports().clock.monotonic()
        assert abs(link.clock.now_ms(now) - (EPOCH_MS + now * 1000)) <= 1


async def test_orders_outlive_the_connection_whatever_the_account_says() -> None:
    async with Exchange().serving() as exchange:
        exchange.logins["private/get_cancel_on_disconnect"] = lambda _: {
            "result": {"enabled": True}
        }
        exchange.logins["private/disable_cancel_on_disconnect"] = lambda _: {"result": "ok"}
        async with exchange.link() as link:
            (asked,) = exchange.methods("private/disable_cancel_on_disconnect")
            assert asked.params == {"scope": "connection"}
            assert "stays on" in link.cancels_on_disconnect, "it was read back"


async def test_a_key_that_may_not_keep_orders_is_let_in_and_says_so() -> None:
    forbidden = {"error": {"code": 13021, "message": "forbidden"}}
    async with Exchange().serving() as exchange:
        exchange.logins["private/get_cancel_on_disconnect"] = lambda _: {
            "result": {"enabled": True}
        }
        exchange.logins["private/disable_cancel_on_disconnect"] = lambda _: forbidden
        async with exchange.link() as link:
            assert "account:read_write" in link.cancels_on_disconnect


async def test_the_scope_is_asked_for_at_each_login_and_a_smaller_one_refused(
    autojump_clock: MockClock,
) -> None:
    async with Exchange().serving() as exchange:
        exchange.expires_in = 10
        ok = exchange.logins["public/auth"]
        refused = {"error": {"code": 13004, "message": "invalid_credentials"}}
        exchange.logins["public/auth"] = lambda params: (
            refused if params["grant_type"] == "refresh_token" else ok(params)
        )
        async with exchange.link(scope="connection trade:read_write"):
            await trio.sleep(9)
            first, _, again = exchange.methods("public/auth")
            assert first.params["scope"] == again.params["scope"] == "connection trade:read_write"
    narrow = Exchange()
    told = {"refresh_token": "r", "expires_in": 900, "scope": "account:read trade:read"}
    narrow.logins["public/auth"] = lambda _: {"result": told}
    error = await fails(narrow, "grants only 'account:read trade:read'")
    assert type(error).__name__ == "LoginRefused"
    assert REFUSED_LOGIN in str(error)


# ------------------------------------------------------------------------------------ failures


async def fails(exchange: Exchange, words: str, grant: str = "client_signature") -> LinkLost:
    async with exchange.serving():
        with pytest.raises(LinkLost, match=words) as caught:
            async with exchange.link(grant):
                pytest.fail("got in")
    return caught.value


@pytest.mark.parametrize(
    "refusal",
    [
        ConnectionRefusedError("connection refused"),
        socket.gaierror(socket.EAI_AGAIN, "no name server answers"),
    ],
)
async def test_nobody_there(refusal: OSError) -> None:
    exchange = Exchange()
    exchange.refuse = refusal
    error = await fails(exchange, "connection refused|no name server answers")
    assert "ws://exchange.test" in str(error)


@pytest.mark.parametrize(
    "status, words",
    [
        (429, "too many connections from this address"),
        (502, "the exchange is not there behind its front, as during a maintenance"),
        (418, "the connection is refused"),
    ],
)
async def test_the_front_says_no(status: int, words: str) -> None:
    """In words for a person, and with nothing of the protocol but the number to look up."""
    exchange = Exchange()
    exchange.reject_status = status
    error = await fails(exchange, words)
    assert str(error) == f"ws://exchange.test/ws/api/v2: {words} (HTTP status {status})"


async def test_closed_in_the_middle_of_the_handshake(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    exchange.hang_up = True
    await fails(exchange, "middle of the handshake")
    assert trio.current_time() < 1


async def test_no_handshake(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    exchange.silent_handshake = True
    await fails(exchange, "no login within 10 s")


async def test_no_answers(autojump_clock: MockClock) -> None:
    exchange = Exchange()
    exchange.mute = True
    await fails(exchange, "public/hello: no answer within 5 s")


async def test_an_answer_to_the_login_that_makes_no_sense() -> None:
    exchange = Exchange()
    exchange.logins["public/auth"] = lambda _: {"result": {}}
    await fails(exchange, "refresh_token")


@pytest.mark.parametrize("code, words", [(13004, "check client_id and secret"), (10000, "10000")])
async def test_a_refused_login_says_what_to_do(code: int, words: str) -> None:
    exchange = Exchange()
    exchange.logins["public/auth"] = lambda _: {"error": {"code": code, "message": "no"}}
    error = await fails(exchange, words)
    assert type(error).__name__ == "LoginRefused"
    assert REFUSED_LOGIN in str(error)
    assert "S3CRET" not in str(error)
    assert len(exchange.methods("public/auth")) == 1


async def test_an_unknown_grant_is_an_error_of_configuration() -> None:
    async with Exchange().serving() as exchange:
        with pytest.raises(ConfigError, match="grant"):
            async with exchange.link("password"):
                pytest.fail("got in")


# ----------------------------------------------------------------------------------- the token


async def test_the_token_is_renewed_in_time(autojump_clock: MockClock) -> None:
    async with Exchange().serving() as exchange:
        exchange.expires_in = 10
        async with exchange.link():
            await trio.sleep(16.5)  # twice 80 % of it
            grants = [asked.params["grant_type"] for asked in exchange.methods("public/auth")]
            assert grants == ["client_signature", "refresh_token", "refresh_token"]
            assert exchange.methods("public/auth")[2].params["refresh_token"] == "refresh-2"


async def test_a_refused_renewal_becomes_a_login(autojump_clock: MockClock) -> None:
    async with Exchange().serving() as exchange:
        exchange.expires_in = 10
        async with exchange.link() as link:
            ok = exchange.logins["public/auth"]
            refused = {"error": {"code": 13004, "message": "invalid_credentials"}}
            exchange.logins["public/auth"] = lambda params: (
                refused if params["grant_type"] == "refresh_token" else ok(params)
            )
            await trio.sleep(9)
            assert link.alive
            last = exchange.methods("public/auth")[-1]
            assert last.params["grant_type"] == "client_signature"


@pytest.mark.parametrize("code", [13004, 13009])
async def test_a_token_that_cannot_be_renewed_ends_the_link(
    autojump_clock: MockClock, code: int
) -> None:
    async with Exchange().serving() as exchange:
        exchange.expires_in = 10
        async with exchange.link() as link:
            refused = {"error": {"code": code, "message": "no"}}
            exchange.logins["public/auth"] = lambda _: refused
            with pytest.raises(LinkLost, match=rf"token could not be renewed.*{code}"):
                await anext(link.notifications)
            assert len(exchange.methods("public/auth")) == 3  # login, renewal, login
