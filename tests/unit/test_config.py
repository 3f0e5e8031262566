"""The configuration: what is read, and that each refusal names file, line, key and the remedy."""

from decimal import Decimal
from pathlib import Path

import pytest

from tradebaas.access import CREDENTIAL_NAME, SECRET_VARIABLE, client_secret
from tradebaas.config import (
    DEMO,
    EMBEDDED_INSTRUMENTS,
    Config,
    ExchangeSection,
    instrument_fault,
    load,
    parse,
)
from tradebaas.errors import ConfigError
from tradebaas.paper.instruments import INSTRUMENTS

GOOD = """\
data = "/srv/tb"

[exchange]
environment = "testnet"
client_id = "abc"

[strategy]
name = "ma_cross"
timeframe = "5m"

[strategy.parameters]
fast = 5
stop_atr = "1.5"

[risk]
risk_percent = 0.1
max_amount = 1000

[embedded]
speed = "lockstep"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tradebaas.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert refused.value.exit_code == 78
    message = str(refused.value)
    assert str(path) in message
    return message


def test_a_file_becomes_a_config(tmp_path: Path) -> None:
    config = load(write(tmp_path, GOOD))
    assert config.data_dir == Path("/srv/tb")
    assert config.exchange == ExchangeSection(environment="testnet", client_id="abc")
    assert config.strategy.parameters == {"fast": 5, "stop_atr": "1.5"}
    assert config.risk.risk_percent == Decimal("0.1"), "by its digits, not by its binary value"
    assert config.risk.max_amount == 1000
    assert config.embedded.speed == "lockstep"
    assert not config.embedded_exchange


def test_nothing_configured_is_the_embedded_exchange() -> None:
    assert parse({}) == Config()
    assert Config().embedded_exchange
    assert DEMO.embedded_exchange
    assert DEMO.strategy.autostart
    assert not Config(exchange=ExchangeSection(url="ws://x")).embedded_exchange


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[risk]\nrisk_percent = 1\nmax_leverag = 3\n", "line 3: unknown key 'risk.max_leverag'"),
        ("[risk]\n\nmax_leverag = 3\n", "did you mean 'max_leverage'?"),
        ("daata = 'x'\n", "line 1: unknown key 'daata'; did you mean 'data'?"),
        ("[rissk]\nrisk_percent = 1\n", "line 1: unknown key 'rissk'; did you mean 'risk'?"),
        ("[http]\nzzzzzz = 1\n", "known keys: host, port"),
        ("data = 'x'\n[store]\nport = 1\n[http]\nport = 1\n", "line 3: unknown key 'store.port'"),
    ],
)
def test_an_unknown_key_is_refused_by_line_with_the_nearest(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[http]\nhost = '::1'\nport = 'many'\n", "line 3"),
        ("[risk]\nmax_entries_per_day = 1.5\n", "line 2"),
        ("[strategy]\nautostart = 'perhaps'\n", "line 2"),
        ("exchange = 3\n", "line 1"),
        ("[backups]\nkeep = []\n", "line 2"),
    ],
)
def test_a_wrong_type_is_refused_by_line(tmp_path: Path, text: str, expected: str) -> None:
    message = refusal(tmp_path, text)
    assert expected in message
    assert "Expected" in message or "Invalid" in message


@pytest.mark.parametrize(
    ("section", "line", "rule"),
    [
        ("exchange", "environment = 'live'", "must be one of embedded, mainnet, testnet"),
        ("exchange", "grant = 'password'", "must be one of client_signature, client_credentials"),
        ("exchange", "environment = 'testnet'", "client_id must be the id of your API key"),
        ("embedded", "speed = 301", "at most 300, or lockstep"),
        ("embedded", "speed = 'fast'", "at most 300, or lockstep"),
        ("embedded", "speed = 0", "above 0"),
        ("embedded", "history = -1", "must be 0 or more"),
        ("embedded", "idle_exit_seconds = -1", "must be 0 or more"),
        ("risk", "risk_percent = 0", "must be above 0 and at most 10"),
        ("risk", "risk_percent = nan", "must be a number"),
        ("risk", "risk_percent = inf", "must be a number"),
        ("risk", "max_leverage = 51", "must be above 0 and at most 50"),
        ("risk", "max_leverage = 'NaN'", "must be a number"),
        ("risk", "max_amount = 0", "must be above 0"),
        ("risk", "max_daily_loss_percent = 101", "must be above 0 and at most 100"),
        ("risk", "max_entries_per_day = 0", "must be above 0"),
        ("risk", "slippage_percent = -1", "must be 0 to 5"),
        ("risk", "adopted_stop_percent = 0", "must be above 0 and at most 50"),
        ("risk", "validity_ms = 100", "must be 200 to 60000"),
        ("risk", "naked_ms = -1", "must be 0 to 60000"),
        ("store", "snapshot_every = 0", "must be at least 1"),
        ("store", "low_disk_mib = -1", "must be 0 or more"),
        ("exchange", "scope = 'account:read'", "must ask for trade:read_write"),
        ("exchange", "url = 'ws://gateway.example/ws'", "must be a wss:// address"),
        ("exchange", "url = 'ws://8.8.8.8/ws'", "must be a wss:// address"),
        ("exchange", "url = 'http://127.0.0.1/ws'", "must be a wss:// address"),
        ("backups", "interval_seconds = 0.5", "must be at least 1"),
        ("backups", "keep = 0", "must be at least 1"),
        ("supervisor", "deaths = -1", "must be 0 or more"),
        ("supervisor", "period_seconds = 0", "must be above 0"),
        ("supervisor", "forgive_seconds = -1", "must be 0 or more"),
        ("http", "port = 65536", "must be 0 to 65535"),
        ("http", "host = '0.0.0.0'", "must be a loopback address"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name_and_rule(
    tmp_path: Path, section: str, line: str, rule: str
) -> None:
    message = refusal(tmp_path, f"[{section}]\n\n{line}\n")
    assert rule in message
    assert f"{section}." in message
    if line.split()[0] in message:
        assert "line 3" in message


def test_a_file_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    message = refusal(tmp_path, "[risk\n")
    assert "not valid TOML" in message
    assert "line 1" in message


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes("data = 'é'\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(latin)


# ---------------------------------------------------------------------------------- the secret

LIVE = Config(exchange=ExchangeSection(environment="mainnet", client_id="abc"))


def test_the_secret_comes_from_credentials_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL_NAME).write_text("from-systemd\n", encoding="utf-8")
    environ = {SECRET_VARIABLE: "from-env"}
    assert client_secret(LIVE, environ) == "from-env"
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "other")
    assert client_secret(LIVE, environ) == "from-env"
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert client_secret(LIVE, environ) == "from-systemd"


def test_a_credential_that_is_empty_or_unreadable_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CREDENTIAL_NAME
    path.write_text("\n", encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), SECRET_VARIABLE: "not this one"}
    with pytest.raises(ConfigError, match="is empty"):
        client_secret(LIVE, environ)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        client_secret(LIVE, environ)


def test_without_a_secret_only_the_embedded_exchange_works() -> None:
    assert client_secret(Config(), {}) == "paper-secret"
    for environ in ({}, {SECRET_VARIABLE: " "}):
        with pytest.raises(ConfigError, match=SECRET_VARIABLE) as refused:
            client_secret(LIVE, environ)
        assert "mainnet" in str(refused.value)


def test_a_secret_in_the_file_is_an_unknown_key(tmp_path: Path) -> None:
    text = "[exchange]\nclient_secret = 'oops'\n"
    assert "unknown key 'exchange.client_secret'" in refusal(tmp_path, text)


# -------------------------------------------------------------------- instruments, places, access


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data = 'x'\nrisk.risk_pct = 5\n", "line 2: unknown key 'risk.risk_pct'"),
        ("[risk] # limits\nrisk_percent = 99\n", "line 2: risk.risk_percent"),
        ("\nrisk = { risk_percent = 99 }\n", "line 2: risk.risk_percent"),
    ],
)
def test_a_key_is_found_however_it_is_written(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


def test_the_strategy_section_knows_the_place_of_its_keys(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    section = load(path).strategy
    assert section.place("timeframe") == f"{path}, line 9"
    assert section.place("parameters.fast") == f"{path}, line 12"
    assert section.place("parameters.unheard_of") == f"{path}, line 11"
    assert Config().strategy.place("name") == "the configuration"


def test_the_embedded_instruments_are_those_of_the_exchange() -> None:
    assert set(EMBEDDED_INSTRUMENTS) == set(INSTRUMENTS)


def test_an_instrument_is_judged_by_what_its_exchange_can_have() -> None:
    embedded = Config()
    assert instrument_fault(embedded, "BTC_USDC-PERPETUAL") == ""
    assert "did you mean 'BTC-PERPETUAL'?" in instrument_fault(embedded, "ETH-PERPETUAL")
    for name in ("ETH-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC-27DEC24"):
        assert instrument_fault(LIVE, name) == ""
    for name in ("", "btc-perpetual", "BTC", "BTC-PERPETUAL\n", "BTC-27DEC24-50000-C"):
        assert "no name of a future" in instrument_fault(LIVE, name)


@pytest.mark.parametrize(
    "url",
    ["wss://gateway.example/ws", "ws://127.0.0.1:8022/ws", "ws://localhost/ws", "ws://10.1.2.3/ws"],
)
def test_an_address_that_no_stranger_sees_need_not_be_encrypted(url: str) -> None:
    assert parse({"exchange": {"url": url}}).exchange.url == url
