"""``trial`` and ``check --broker``, whole, at an exchange on loopback; and what they refuse."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from exchange_socket_kit import serving
from golden_kit import GOLDEN
from test_link_tls import SELF_SIGNED
from trial_kit import play_trial, record_trial

from tests.docs import front
from tests.unit.actors.exchange import Exchange, Wires, exchange_on, plainly
from tests.unit.actors.process import environment
from tests.unit.cli.stores import tradebaas
from tradebaas.config import Config, ExchangeSection, StrategySection
from tradebaas.core.model import Trade
from tradebaas.deribit import transcript
from tradebaas.deribit.transcript import OUT
from tradebaas.direct import look, trial
from tradebaas.direct.look import Trial, TrialFailed
from tradebaas.errors import Unusable
from tradebaas.runtime.ports import Ports, system_ports

LINEAR = "BTC_USDC-PERPETUAL"
ROWS = [
    *("config", "data", "store", "disk", "tls", "login", "platform", "scope"),
    *("cancel on disconnect", "clock", "instrument", "prices", "candles", "account", "limits"),
    *("open", "history", "channels"),
]


@asynccontextmanager
async def tls_before(plain: str, home: Path) -> AsyncIterator[tuple[str, Path]]:
    """An exchange behind TLS: its address, and the file of the one certificate to trust."""
    pem = home / "ca.pem"
    pem.write_text(SELF_SIGNED, encoding="ascii")
    port = int(plain.split(":")[2].split("/")[0])
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(front.serve, str(pem), 0, port)
        own = listeners[0].transport_listener.socket.getsockname()[1]
        yield f"wss://localhost:{own}/ws/api/v2", pem
        nursery.cancel_scope.cancel()


async def command(home: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    done = await trio.run_process(
        [sys.executable, "-m", "tradebaas", *arguments], cwd=home, env=environment(**env),
        capture_stdout=True, capture_stderr=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def asked(exchange: Exchange, *, instrument: str = "BTC-PERPETUAL", ports: Ports | None = None,
          url: str = "") -> Trial:  # fmt: skip
    config = Config(
        exchange=ExchangeSection(url=exchange.url), strategy=StrategySection(instrument=instrument)
    )
    return Trial(
        config, ports or system_ports(), url or exchange.url, "paper-secret",
        lambda _step, _detail: None, lambda _way, _text: None,
    )  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "HOLD_S", 0.05)
    monkeypatch.setattr(trial, "STEP_S", 3.0)


# -------------------------------------------------------------------------------------- the whole


def test_the_acceptance_procedure_over_tls(tmp_path: Path) -> None:
    """All that docs/testnet.md asks for, but for the network itself."""
    text = trio.run(accept, tmp_path)
    assert "paper-secret" not in text
    assert isinstance(play_trial(text), Trade)


async def accept(home: Path) -> str:
    """The transcript of the trial."""
    async with (
        serving(home / "exchange", speed=20.0, idle_exit_s=0) as plain,
        tls_before(plain, home) as (url, pem),
    ):
        aim = ("--environment", "loopback", "--url", url)
        trust = {"SSL_CERT_FILE": str(pem)}
        code, out, _ = await command(home, "check", "--broker", "deribit", *aim, "--json", **trust)
        rows = {row["what"]: row for row in json.loads(out)}
        assert list(rows) == ROWS
        assert code == 0, rows
        assert {row["level"] for row in rows.values()} == {"ok"}, rows
        assert rows["tls"]["detail"].startswith("TLSv1.3, verified")
        file = home / "t.jsonl"
        code, out, err = await command(home, "trial", *aim, "--record", str(file), **trust)
        assert code == 0, err
        steps = [line.split()[0] for line in out.splitlines()[:6]]
        assert steps == ["account", "reconciled", "entered", "protected", "closed", "flat"]
        code, out, err = await command(home, "trial", *aim)
        assert (code, "CERTIFICATE_VERIFY_FAILED" in err) == (1, True)
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("trial*.jsonl")), ids=lambda file: file.stem)
def test_a_recorded_trial_is_played_again(file: Path) -> None:
    """Also one from the test network: put its transcript into that directory."""
    text = file.read_text(encoding="utf-8")
    _, lines = transcript.read(text)
    methods = [json.loads(bytes(line.frame))["method"] for line in lines if line.way == OUT]
    assert methods.count("public/auth") == 3  # a look, the session, and another look
    assert {"private/buy", "private/sell"} <= set(methods)
    trade = play_trial(text)
    assert trade.exit_reason == "close"
    assert trade.net == trade.gross - trade.fees


def test_a_trial_can_be_recorded_anew() -> None:
    assert play_trial(record_trial()).exit_reason == "close"


@pytest.mark.usefixtures("quick")
async def test_the_amount_is_the_smallest(tmp_path: Path) -> None:
    async with exchange_on(tmp_path / "exchange") as exchange:
        inverse = await trial.run(asked(exchange))
        linear = await trial.run(asked(exchange, instrument=LINEAR))
        assert (inverse.amount, linear.amount) == (Decimal(10), Decimal("0.0001"))
        assert len(exchange.entries()) == 2
        for request in exchange.journal("request"):
            if request["label"] in exchange.entries():
                assert len(request["leg_labels"]) == 2  # type: ignore[arg-type]


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "environment, url",
    [
        ("mainnet", "wss://www.deribit.com/ws/api/v2"),
        ("mainnet", "ws://127.0.0.1:1/ws/api/v2"),
        ("testnet", "wss://www.deribit.com/ws/api/v2"),
        ("testnet", "wss://gateway.example/ws/api/v2"),
        ("embedded", "wss://8.8.8.8/ws/api/v2"),
    ],
)
def test_real_money_is_refused(environment: str, url: str) -> None:
    with pytest.raises(Unusable, match="real money is not"):
        look.refuse_real_money(environment, url)


def test_the_test_network_and_this_machine_are_not() -> None:
    look.refuse_real_money("testnet", "wss://test.deribit.com/ws/api/v2")
    look.refuse_real_money("embedded", "ws://localhost:8022/ws/api/v2")


def test_mainnet_is_refused_before_anything_is_asked_for() -> None:
    result = tradebaas("trial", "--environment", "mainnet", "--client-id", "key")
    assert result.exit_code == 78
    assert "a trial is not for www.deribit.com" in result.stderr


def test_an_environment_without_a_key_is_refused() -> None:
    result = tradebaas("trial", "--environment", "testnet")
    assert result.exit_code == 78
    assert "no API key for testnet" in result.stderr


def test_without_an_exchange_on_this_machine_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = tradebaas("trial", "--environment", "loopback", "--data", tmp_path)
    assert result.exit_code == 78
    assert "no exchange runs on" in result.stderr


@pytest.mark.usefixtures("quick")
async def test_an_exchange_that_says_it_is_the_real_one_gets_no_order(tmp_path: Path) -> None:
    said, instead = b'"usDiff":0,"testnet":true}', b'"usDif":0,"testnet":false}'
    wires = Wires(corrupt=(said, instead))
    async with exchange_on(tmp_path / "exchange") as exchange:
        with pytest.raises(Unusable, match="not the test network"):
            await trial.run(asked(exchange, ports=wires.ports()))
        assert exchange.entries() == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["position", "order"])
async def test_an_account_that_is_used_is_refused(tmp_path: Path, kind: str) -> None:
    order = {"type": "limit", "price": 49_500} if kind == "order" else {"type": "market"}
    async with exchange_on(tmp_path / "exchange") as exchange:
        params = {"instrument_name": "BTC-PERPETUAL", "amount": 10, "side": "buy", **order}
        await exchange.admin.call("order", **params)
        with pytest.raises(Unusable, match=f"the account has .*{kind}"):
            await trial.run(asked(exchange))
        assert exchange.entries() == []


# --------------------------------------------------------------------------------- what goes wrong


@pytest.mark.usefixtures("quick")
async def test_what_fails_after_the_entry_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "STEP_S", 1.0)
    monkeypatch.setattr(trial, "_is_covered", lambda _: False)
    async with exchange_on(tmp_path / "exchange") as exchange:
        with pytest.raises(TrialFailed, match=r"the stop: not within 1 s.*what was open is closed"):
            await trial.run(asked(exchange))
        assert len(exchange.entries()) == 1
        assert await exchange.position() == 0
        assert await exchange.orders() == {}


@pytest.mark.usefixtures("quick")
async def test_what_cannot_be_closed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "CLEAR_S", 0.5)
    async with exchange_on(tmp_path / "exchange") as exchange:
        reject = {"method": "private/sell", "count": 100, "code": 10041, "message": "settlement"}
        await exchange.admin.call("reject", **reject)
        with pytest.raises(TrialFailed, match=r"flat: not within.*close by hand: 10 BTC-PERPETUAL"):
            await trial.run(asked(exchange))


async def test_nobody_there(tmp_path: Path) -> None:
    async with exchange_on(tmp_path / "exchange") as exchange:
        away = replace(asked(exchange), url="ws://127.0.0.1:9/ws/api/v2")
        with plainly(), pytest.raises(TrialFailed, match="the account cannot be read"):
            await trial.run(away)
