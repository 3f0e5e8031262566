"""The command itself: options, usage errors, exit codes, late imports, and ``check``."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.cli.stores import HALTED, tradebaas, write_store
from tradebaas import daemon
from tradebaas.cli import Commands
from tradebaas.config import DEMO, Config
from tradebaas.paper import process as exchange_process
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.mishaps import MISHAPS
from tradebaas.paper.readings import QUESTIONS, Readings
from tradebaas.store.place import Place

SRC = Path(__file__).parents[3] / "src"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no tradebaas.toml and no data directory lie."""
    monkeypatch.chdir(tmp_path)


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tradebaas", *arguments],
        env={"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# ------------------------------------------------------------------------------------ the whole


@pytest.mark.parametrize("name", list(Commands.known))
def test_every_command_has_help(name: str) -> None:
    result = tradebaas(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_help_lists_every_command() -> None:
    output = tradebaas("--help").output
    assert all(f"  {name} " in output for name in Commands.known)


def test_usage_errors_exit_2() -> None:
    assert tradebaas("unheard-of").exit_code == 2
    assert tradebaas("run", "--port", "70000").exit_code == 2
    assert tradebaas("log", "--limit", "-1").exit_code == 2


def test_as_a_process_an_error_is_one_message_without_a_traceback() -> None:
    result = process("run", "--config", "missing.toml")
    assert result.returncode == 78
    assert result.stdout == ""
    assert result.stderr.startswith("tradebaas: cannot read missing.toml")
    assert "Traceback" not in result.stderr


def test_run_imports_nothing_heavy_before_the_daemon() -> None:
    code = (
        "import sys; import tradebaas.cli, tradebaas.commands.serve; "
        "print([m for m in ('rich', 'httpx', 'quart', 'apsw', 'trio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------ run and exchange


def run_with(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Config, bool]:
    calls: list[tuple[Config, bool]] = []

    def run(config: Config, *, load: Callable[[], Config], chaos: bool, rehearsal: bool) -> int:
        assert not rehearsal
        assert load() == config
        calls.append((config, chaos))
        return 70

    monkeypatch.setattr(daemon, "run", run)
    result = tradebaas("run", *arguments)
    return result.exit_code, *calls[0]


def test_run_with_nothing_is_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    code, config, chaos = run_with(monkeypatch)
    assert (code, config, chaos) == (70, DEMO, False)
    assert (config.data, config.http.port) == ("data", 3000)


def test_run_takes_data_port_and_chaos(monkeypatch: pytest.MonkeyPatch) -> None:
    _, config, chaos = run_with(monkeypatch, "--data", "there", "--port", "0", "--chaos")
    assert (config.data, config.http.port, chaos) == ("there", 0, True)
    assert config.strategy == DEMO.strategy


@pytest.mark.parametrize("options", [["--config", "other.toml"], []])
def test_run_reads_a_configuration(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    name = options[1] if options else "tradebaas.toml"
    Path(name).write_text('data = "elsewhere"\n[http]\nport = 4000\n')
    _, config, _ = run_with(monkeypatch, *options)
    assert (config.data, config.http.port) == ("elsewhere", 4000)
    assert config.strategy.autostart is False


def test_a_bad_configuration_exits_78(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tradebaas.toml").write_text("[http]\nprot = 4000\n")
    result = tradebaas("run")
    assert result.exit_code == 78
    assert "line 2" in result.stderr
    assert "'port'" in result.stderr


def exchange_with(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> ExchangeConfig:
    configs: list[ExchangeConfig] = []

    def serve(config: ExchangeConfig) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(exchange_process, "main", serve)
    result = tradebaas("exchange", *arguments)
    assert result.exit_code == 0, result.output
    return configs[0]


def test_exchange_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    candles = tmp_path / "c.csv"
    candles.touch()
    plain = exchange_with(monkeypatch)
    assert plain == ExchangeConfig(
        directory=Path("data/exchange"), funding=Decimal("0.001"), basis=Decimal("0.0002")
    )
    given = exchange_with(
        monkeypatch,
        *("--data", "x", "--port", "5", "--speed", "60.0", "--seed", "7", "--idle-exit", "0"),
        *("--candles", str(candles), "--history", "9", "--balance-btc", "2.5", "--admin"),
        *("--funding", "0.2", "--basis", "0.1", "--settlement", "5"),
    )
    assert given == ExchangeConfig(
        directory=Path("x"),
        port=5,
        speed=60.0,
        seed=7,
        idle_exit_s=0.0,
        candles=candles,
        history=9,
        balance_btc=Decimal("2.5"),
        admin=True,
        funding=Decimal("0.002"),
        basis=Decimal("0.001"),
        settlement_ms=5_000,
    )
    lockstep = exchange_with(monkeypatch, "--speed", "lockstep")
    assert lockstep.lockstep
    assert {lockstep.funding, lockstep.basis} == {Decimal(0)}


def test_exchange_faults_and_credits(monkeypatch: pytest.MonkeyPatch) -> None:
    given = exchange_with(
        monkeypatch,
        "--fault", "ack-lost=0.01,ack-late=0.5", "--fault", "call-late=1", "--credits", "tier1",
    )  # fmt: skip
    assert given.faults == {"ack-lost": 0.01, "ack-late": 0.5, "call-late": 1.0}
    assert (given.rate_limits, given.tier) == (True, 1)
    off = exchange_with(monkeypatch, "--credits", "off")
    assert (off.rate_limits, off.tier, off.faults) == (False, 4, {})
    help_text = tradebaas("exchange", "--help").output
    assert all(f"  {name} " in help_text for name in MISHAPS)
    wrong = tradebaas("exchange", "--fault", "ack-lots=0.1")
    assert wrong.exit_code == 2
    assert "did you mean 'ack-lost'?" in " ".join(wrong.output.split())


def test_exchange_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = exchange_with(monkeypatch, "--reading", "band=clamp,first=login")
    assert given.readings == Readings(band="clamp", first="login")
    help_text = " ".join(tradebaas("exchange", "--help").output.split())
    assert all(words in help_text for words in QUESTIONS.values())
    wrong = tradebaas("exchange", "--reading", "bnad=clamp")
    assert wrong.exit_code == 2
    assert "did you mean 'band'?" in " ".join(wrong.output.split())


def test_exchange_accounts_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    given = exchange_with(
        monkeypatch,
        *("--account", "bob:s3cret:1.5", "--account", "eve:other:0:900"),
        *("--key", "audit:third:paper:account:read,trade:read"),
    )
    assert [(a.name, a.balance_btc, a.balance_usdc) for a in given.every_account] == [
        ("", Decimal(1), Decimal(50_000)), ("bob", Decimal("1.5"), Decimal(0)),
        ("eve", Decimal(0), Decimal(900)),
    ]  # fmt: skip
    assert [(k.client_id, k.account, k.scope) for k in given.every_key] == [
        ("paper", "", ""), ("bob", "bob", ""), ("eve", "eve", ""),
        ("audit", "", "account:read trade:read"),
    ]  # fmt: skip
    wrong = tradebaas("exchange", "--account", "bob:1.5")
    assert wrong.exit_code == 2
    assert "NAME:SECRET:BTC[:USDC]" in wrong.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--speed 0", "speed 0"), ("--speed nan", "speed nan"), ("--port 70000", "--port"),
        ("--port -1", "--port"), ("--candles /nowhere/x.csv", "/nowhere/x.csv"),
        ("--history -1", "history -1"), ("--history 5", "candle file"), ("--seed x", "--seed"),
        ("--idle-exit -1", "idle_exit -1"), ("--idle-exit nan", "--idle-exit"),
        ("--balance-btc -1", "balance_btc -1"), ("--balance-usdc inf", "balance_usdc"),
        ("--funding 5", "funding"), ("--settlement nan", "--settlement"),
        ("--settlement inf", "--settlement"), ("--settlement 4000", "an hour"),
        ("--account paper:x:1", "'paper' is given twice"), ("--key a:b:eve:trade:read", "'eve'"),
        ("--host 0.0.0.0", "--secret"), ("--secret=", "must not be empty"),
        ("--credits free", "--credits"), ("--bogus", "--bogus"), ("more", "more"),
    ],
)  # fmt: skip
def test_wrong_usage_of_the_exchange_exits_2_and_says_why(options: str, words: str) -> None:
    result = tradebaas("exchange", *options.split())
    assert (result.exit_code, words in " ".join(result.output.split())) == (2, True), result.output


def test_a_secret_of_its_own_opens_the_exchange_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    given = exchange_with(monkeypatch, "--host", "0.0.0.0", "--secret", "of my own")
    assert (given.host, given.client_secret) == ("0.0.0.0", "of my own")


@pytest.mark.parametrize("option", ["--speed", "--balance-btc", "--funding", "--basis"])
def test_exchange_refuses_what_is_no_number(option: str) -> None:
    result = tradebaas("exchange", option, "fast")
    assert result.exit_code == 2
    assert "'fast'" in result.stderr


# ---------------------------------------------------------------------------------------- check


def rows(*arguments: object) -> tuple[int, dict[str, tuple[str, str]]]:
    result = tradebaas("check", "--json", *arguments)
    found = json.loads(result.output)
    return result.exit_code, {row["what"]: (row["level"], row["detail"]) for row in found}


def test_check_of_nothing_is_ok_and_changes_nothing(tmp_path: Path) -> None:
    code, found = rows()
    assert code == 0
    assert {level for level, _ in found.values()} == {"ok"}
    assert "tradebaas run` starts it" in found["exchange"][1]
    assert list(tmp_path.iterdir()) == []


def test_check_shows_the_store_and_a_halt(tmp_path: Path) -> None:
    write_store(tmp_path / "data", HALTED)
    code, found = rows()
    assert code == 0
    assert found["store"][0] == "warn"
    assert "HALTED by operator: lunch" in found["store"][1]
    assert found["lock"] == ("ok", "no daemon uses this directory now")
    assert "FAIL" not in tradebaas("check").output


def test_check_fails_on_a_bad_configuration() -> None:
    Path("tradebaas.toml").write_text("[risk]\nrisk_percent = 99\n")
    code, found = rows()
    assert code == 78
    assert found["config"][0] == "FAIL"


def test_check_fails_on_a_strategy_that_the_daemon_would_refuse() -> None:
    Path("tradebaas.toml").write_text("[strategy]\nparameters = {fast = 30, slow = 8}\n")
    code, found = rows()
    assert code == 78
    assert found["config"][0] == "FAIL"
    assert "fast (30) must be below slow (8)" in found["config"][1]


def test_check_fails_on_a_store_that_is_gone(tmp_path: Path) -> None:
    write_store(tmp_path / "data")
    Place(tmp_path / "data").db.unlink()
    code, found = rows()
    assert code == 75
    assert "tradebaas run` would refuse to start" in found["store"][1]
    assert "but there was a store" in found["store"][1]


def test_check_fails_when_only_the_lock_says_that_there_was_a_store(tmp_path: Path) -> None:
    write_store(tmp_path / "data")
    place = Place(tmp_path / "data")
    for path in (place.db, place.head):
        path.unlink()
    code, found = rows()
    assert code == 75
    assert f"see {Path('data') / 'lock'}" in found["store"][1]


def test_check_compares_the_end_of_the_log_with_the_head(tmp_path: Path) -> None:
    seq = write_store(tmp_path / "data", snapshots=False).seq
    connection = sqlite3.connect(tmp_path / "data" / "tradebaas.db")
    with connection:
        connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
    connection.close()
    code, found = rows()
    assert code == 75
    assert "tradebaas run` would refuse to start" in found["store"][1]
    assert f"the log must hold record {seq} of data/head" in found["store"][1]


def test_check_fails_on_a_damaged_store(tmp_path: Path) -> None:
    write_store(tmp_path / "data")
    Place(tmp_path / "data").db.write_bytes(b"not a database" * 1000)
    code, found = rows()
    assert code == 75
    assert found["store"][0] == "FAIL"


def test_check_fails_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEBAAS_CLIENT_SECRET", raising=False)
    Path("tradebaas.toml").write_text('[exchange]\nenvironment = "testnet"\nclient_id = "x"\n')
    code, found = rows()
    assert code == 78
    assert "TRADEBAAS_CLIENT_SECRET" in found["exchange"][1]


def test_check_fails_when_the_exchange_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEBAAS_CLIENT_SECRET", "s")
    Path("tradebaas.toml").write_text('[exchange]\nurl = "ws://127.0.0.1:9/ws/api/v2"\n')
    code, found = rows()
    assert code == 78
    assert "cannot log in to ws://127.0.0.1:9" in found["exchange"][1]


# ----------------------------------------------------------------------------------- log --follow


def test_log_follow_shows_what_comes_until_interrupted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    seq = write_store(data).seq
    process = subprocess.Popen(
        [sys.executable, "-m", "tradebaas", "log", "--data", str(data), "--follow", "--limit", "1"],
        env={"PYTHONPATH": str(SRC), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().split()[0] == str(seq)
        write_store(data, HALTED)
        assert "life 2 started" in process.stdout.readline()
        assert "HALTED by operator: lunch" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
