"""The real process: how it ends, what its exit code says, and what it leaves at the exchange."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from chaos.real.admin import Admin
from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.volume import Volume
from tests.unit.actors.process import Books, Run, environment, tradebaas
from tradebaas.core.events import Halted, LifeEnded, LifeStarted, Recovered, Resumed
from tradebaas.core.model import Phase
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.place import Place

# -------------------------------------------------------------------------------- orderly ends


def test_sigterm_drains_and_the_position_stays_protected(run: Run, exchange: Books) -> None:
    run.start()
    state = run.covered()
    assert state.position is not None
    run.signal(signal.SIGTERM)
    assert run.wait_end(20) == 0
    assert isinstance(run.events()[-1], LifeEnded)
    assert exchange.position() == state.position.size
    assert exchange.protected()
    assert run.state().phase is Phase.POSITION_OPEN


def test_a_second_signal_ends_it_at_once(run: Run, exchange: Books) -> None:
    """The drain waits for the answer to an order; the second signal does not."""
    admin = Admin(run.url)
    try:
        admin.call("admin/hold", method="private/buy")
        run.start()
        run.until(lambda s: bool(s.pending), "an order under way")
        run.poll(lambda: exchange.position() != 0, "the order to reach the exchange")
        run.signal(signal.SIGTERM)
        assert run.process is not None
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(1.0)
        run.signal(signal.SIGTERM)
        assert run.wait_end(3) == 0
    finally:
        admin.close()
    assert not isinstance(run.events()[-1], LifeEnded)
    assert exchange.protected()


def test_a_closed_terminal_does_not_end_it(run: Run) -> None:
    reading, writing = os.pipe()
    run.start(stdout=writing)
    os.close(writing)
    os.close(reading)
    run.until(lambda s: s.counters.orders_intended > 0, "an order")
    run.covered()
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0


# -------------------------------------------------------------------------------- the embedded


def test_a_killed_daemon_finds_its_exchange_again_and_a_clean_end_stops_it(run: Run) -> None:
    run.start()
    state = run.covered()
    exchange = run.exchange_pid()
    run.signal(signal.SIGKILL)
    assert run.wait_end() == -signal.SIGKILL
    assert run.books().protected()
    assert run.exchange_pid() == exchange
    run.start()
    state = run.until(
        lambda s: s.life == 2 and s.last_recovery is not None and s.last_recovery.life == 2,
        "the recovery",
    )
    assert state.last_recovery is not None
    assert state.last_recovery.cause == "killed"
    assert run.exchange_pid() == exchange
    assert [e.cause for e in run.events() if isinstance(e, LifeStarted)] == ["", ""]
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    run.process = None
    run.poll(lambda: run.exchange_pid() == 0, "the exchange to end")


def test_an_exchange_that_dies_is_started_again(run: Run) -> None:
    run.start()
    run.covered()
    before, exchange = run.state().connection, run.exchange_pid()
    os.kill(exchange, signal.SIGKILL)
    run.poll(lambda: run.exchange_pid() not in (0, exchange), "another exchange")
    run.until(lambda s: s.connection > before and s.reconciled == s.connection, "a reconcile")
    assert run.state().life == 1
    run.poll(run.books().protected, "a protected position")


# ------------------------------------------------------------------------------------ refusals


def test_a_spent_budget_ends_with_70(run: Run) -> None:
    run.broken, run.deaths = 1, 0
    run.start()
    assert run.wait_end() == 70
    assert "strategy ZeroDivisionError" in run.words()
    assert "a poison candle" in run.words()


def test_a_bad_configuration_ends_with_78(run: Run, tmp_path: Path) -> None:
    path = run.configure()
    text = path.read_text(encoding="utf-8").replace("risk_percent", "risk_procent")
    path.write_text(text, encoding="utf-8")
    done = tradebaas("run", "--config", str(path), cwd=tmp_path)
    line = text.splitlines().index("risk_procent = 0.1") + 1
    assert done.returncode == 78
    assert f"tradebaas.toml, line {line}: unknown key 'risk.risk_procent'" in done.stderr
    assert "did you mean 'risk_percent'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.data.exists()


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [("timeframe", "7m", "1m"), ("name", "ma_cros", "ma_cross")],
)
def test_a_strategy_that_cannot_be_armed_ends_with_78(
    run: Run, tmp_path: Path, key: str, value: str, word: str
) -> None:
    path = run.configure()
    text = re.sub(
        rf"^{key} = .*$", f'{key} = "{value}"', path.read_text("utf-8"), flags=re.MULTILINE
    )
    path.write_text(text, encoding="utf-8")
    done = tradebaas("run", "--config", str(path), cwd=tmp_path)
    assert done.returncode == 78
    assert "tradebaas.toml, line " in done.stderr
    assert "[strategy]" in done.stderr
    assert value in done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_instance_ends_with_75_and_names_the_first(run: Run, exchange: Books) -> None:
    run.start()
    run.until(lambda s: s.life == 1, "the first")
    second = run.spawn()
    assert second.wait(20) == 75
    assert f"process {run.pid} (" in run.words()
    assert "Only one daemon may use" in run.words()
    assert run.process is not None
    assert run.process.poll() is None
    run.covered()
    assert exchange.protected()


def test_a_damaged_store_ends_with_75_and_its_advice_works(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    run.start()
    run.covered()
    made = tradebaas("backup", "create", "--data", str(run.data), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    with (run.data / "tradebaas.db").open("r+b") as file:
        file.truncate(5_000)
    run.start()
    assert run.wait_end() == 75
    advice = re.search(r"with: .*tradebaas (backup restore .*)", run.words())
    assert advice is not None, run.words()
    restored = tradebaas(*shlex.split(advice[1]), cwd=tmp_path)
    assert restored.returncode == 0, restored.stderr
    run.start()
    state = run.until(lambda s: s.halted is not None and s.position is None, "halted and flat")
    assert state.halted is not None
    assert "restored from" in state.halted.reason
    run.poll(lambda: (run.data / "address").exists(), "HTTP")
    config = str(tmp_path / "tradebaas.toml")
    resumed = tradebaas("resume", "--config", config, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert run.state().halted is None
    assert read_halt(Place(run.data)) == ""
    run.covered()
    assert exchange.protected()


AUTO = "\n[backups]\nauto_restore = true\n"


def _damaged_with_a_position(run: Run, tmp_path: Path) -> None:
    """A position is open, and the store that has a backup is cut."""
    run.start()
    run.covered()
    made = tradebaas("backup", "create", "--data", str(run.data), cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    _cut(run)


def _cut(run: Run) -> None:
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    with (run.data / "tradebaas.db").open("r+b") as file:
        file.truncate(5_000)


def test_a_damaged_store_is_restored_and_resumed_once_a_day_where_that_is_wanted(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    run.more = AUTO
    _damaged_with_a_position(run, tmp_path)
    run.start()
    state = run.until(lambda s: s.halted is not None and s.position is None, "halted and flat")
    assert state.halted is not None
    assert state.halted.reason.startswith("restored unattended from tradebaas-")
    run.until(lambda s: s.halted is None, "the end of the halt")
    told = [event for event in run.events() if isinstance(event, Halted | Resumed | Recovered)]
    assert [type(event) for event in told][-3:] == [Halted, Recovered, Resumed]
    run.poll(lambda: read_halt(Place(run.data)) == "", "the end of the halt file")
    run.covered()
    assert exchange.protected()
    _cut(run)
    run.start()
    assert run.wait_end() == 75
    assert "nothing is restored by itself twice a day" in run.words()


def test_an_operators_halt_outlives_an_unattended_restore(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    run.more = AUTO
    _damaged_with_a_position(run, tmp_path)
    write_halt(Place(run.data), "operator: weekend")
    run.start()
    run.until(lambda s: s.halted is not None and s.position is None, "halted and flat")
    time.sleep(3)  # five candles
    state = run.state()
    assert state.halted is not None
    assert state.halted.reason == "operator: weekend"
    assert read_halt(Place(run.data)) == "operator: weekend"
    assert exchange.position() == 0


def test_a_halt_that_comes_after_an_unattended_restore_stays(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    run.more = AUTO
    _damaged_with_a_position(run, tmp_path)
    run.start()
    run.until(lambda s: s.halted is not None, "halted")
    write_halt(Place(run.data), "by hand")
    run.until(lambda s: s.position is None and s.last_recovery is not None, "flat")
    time.sleep(3)
    state = run.state()
    assert state.halted is not None
    assert "by hand" in read_halt(Place(run.data))
    assert exchange.position() == 0


def test_a_port_in_use_is_said_and_the_crew_goes_on(run: Run, exchange: Books) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run.port = taken.getsockname()[1]
        run.start()
        run.poll(lambda: "cannot serve HTTP" in run.words(), "the message")
        assert f"127.0.0.1:{run.port}" in run.words()
        assert "the crew goes on" in run.words()
        assert "Traceback" not in run.words()
        run.covered()
        run.signal(signal.SIGTERM)
        assert run.wait_end() == 0
    assert exchange.protected()


def test_a_web_side_that_cannot_be_loaded_leaves_the_crew_alone(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    """As when no more files may be opened, while it reads its own code."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "quart.py").write_text("raise OSError(24, 'Too many open files')\n")
    run.start(PYTHONPATH=os.pathsep.join([str(broken), environment()["PYTHONPATH"]]))
    run.poll(lambda: "HTTP died" in run.words(), "the message")
    run.covered()
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    assert exchange.protected()


# ------------------------------------------------------------------------------------- systemd


def test_systemd_is_told_ready_without_an_exchange(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        run.url = f"ws://127.0.0.1:{nobody.getsockname()[1]}/ws/api/v2"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        run.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        said: list[str] = []
        while said.count("WATCHDOG=1") < 3 or not any("refused" in text for text in said):
            said.append(notify.recv(1000).decode())
        assert said[0] == "READY=1"
        assert {text.partition("=")[0] for text in said} == {"READY", "STATUS", "WATCHDOG"}
        assert run.state().connection == 0
        run.signal(signal.SIGTERM)
        while "STOPPING=1" not in said:
            said.append(notify.recv(1000).decode())
        assert run.wait_end() == 0


def test_a_start_that_waits_for_space_asks_for_more_time(run: Run, tmp_path: Path) -> None:
    reason = refusal(Need.VOLUME)
    if reason:
        pytest.skip(f"a small file system cannot be mounted here: {reason}")
    volume = Volume(tmp_path, "tmpfs", 24)
    try:
        (volume.root / "data").mkdir()
        run.data.symlink_to(volume.root / "data")
        run.url = "ws://127.0.0.1:1/"
        volume.fill()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(tmp_path / "notify"))
            notify.settimeout(20)
            run.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
            assert notify.recv(1000) == b"EXTEND_TIMEOUT_USEC=60000000"
            volume.free()
            said = b"EXTEND_TIMEOUT_USEC=60000000"
            while said.startswith(b"EXTEND"):
                said = notify.recv(1000)
            assert said == b"READY=1"
            run.signal(signal.SIGTERM)
            assert run.wait_end() == 0
    finally:
        run.end()
        volume.end()


UNPRIVILEGED = """
import os, sys
from tradebaas import daemon
from tradebaas.config import Config
os.chmod(sys.argv[1], 0o555)
if os.geteuid() == 0:
    os.seteuid(65534)
config = Config(data=sys.argv[1])
sys.exit(daemon.run(config, load=lambda: config))
"""


def test_a_data_directory_that_is_not_ours_ends_with_78_and_says_whose() -> None:
    with tempfile.TemporaryDirectory() as data:
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, data],
            capture_output=True,
            text=True,
            timeout=20,
            env=environment(),
            check=False,
        )
        left = list(Path(data).iterdir())
    assert done.returncode == 78, done.stderr
    assert f"{data} belongs to " in done.stderr
    assert "chown -R" in done.stderr
    assert "Traceback" not in done.stderr
    assert left == []


def test_a_strategy_that_exits_the_process_ends_with_70(run: Run, tmp_path: Path) -> None:
    (tmp_path / "leaver.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    path = run.configure()
    known = path.read_text("utf-8")
    text = re.sub(r"^name = .*$", 'name = "leaver.py:X"', known, flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    done = tradebaas("run", "--config", str(path), cwd=tmp_path)
    assert done.returncode == 70
    assert "tried to exit the process with SystemExit" in done.stderr
