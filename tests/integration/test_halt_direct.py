"""``halt`` when no daemon runs, or when its disk takes nothing: real processes, a real exchange."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from chaos.real.admin import Admin
from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.volume import Volume
from tests.unit.actors.process import LIMIT_S, Books, Run, environment, tradebaas
from tradebaas.core.model import Phase
from tradebaas.store.halt import read_halt, write_halt
from tradebaas.store.place import Place

UNSTORED = """\
from tradebaas import cli
from tradebaas.core.events import Halted
from tradebaas.errors import StoreFault
from tradebaas.store import codec
from tradebaas.store.faults import DiskFull
from tradebaas.store.log import Log

honest, broken = Log.append, []

def append(self, records, snapshot):
    broken.extend(r for r in records if isinstance(codec.decode(r), Halted))
    if broken:
        raise {error}
    honest(self, records, snapshot)

Log.append = append
cli.main()
"""
"""A daemon whose disk breaks with the first halt that it is to store, and stays broken."""


def kill_with_a_position(run: Run, exchange: Books) -> None:
    run.start()
    run.covered()
    run.signal(signal.SIGKILL)
    run.wait_end()
    assert exchange.position() != 0
    assert exchange.protected()


def live(run: Run) -> set[object]:
    """Labels of the orders that are live."""
    with closing(Admin(run.url)) as admin:
        orders = admin.table("admin/ledger")["orders"]
    assert isinstance(orders, list)
    return {order["label"] for order in orders}


def halt(run: Run, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return tradebaas("halt", "enough", "--config", str(run.configure()), *arguments, cwd=run.home)


# ------------------------------------------------------------------------------ without a daemon


def test_what_a_dead_daemon_has_left_open_is_closed(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    done = halt(run)
    assert done.returncode == 0, done.stderr
    steps = [line[:12].strip() for line in done.stdout.splitlines()]
    assert steps[:3] == ["halt file", "store", "logged in"]
    assert steps[-1] == "flat"
    assert steps.index("close") < steps.index("closed") < steps.index("flat")
    assert exchange.position() == 0
    assert live(run) == set()
    assert read_halt(Place(run.data)) == "operator: enough"
    run.start()  # the next daemon finds orders that its store never knew, and stays halted
    state = run.until(lambda s: s.life == 2 and s.reconciled > 0, "a second life")
    assert state.halted is not None
    assert state.position is None
    assert run.until(lambda s: not s.pending and not s.orders, "nothing left").phase in (
        Phase.IDLE, Phase.ANALYZING,
    )  # fmt: skip
    assert exchange.position() == 0


def test_the_file_alone_closes_nothing(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    before = exchange.position()
    done = halt(run, "--file-only")
    assert done.returncode == 0, done.stderr
    assert "the next one starts halted" in done.stdout
    assert exchange.position() == before
    assert exchange.protected()


def test_a_lost_store_is_halted_by_its_labels(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    for file in (run.data / "tradebaas.db", run.data / "tradebaas.db-wal"):
        file.write_bytes(b"nothing that SQLite knows" * 1000)
    done = halt(run, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["exchange"]["problem"] == ""
    steps = dict(told["exchange"]["steps"])
    assert "what bears our labels is ours" in steps["store"]
    assert exchange.position() == 0
    assert live(run) == set()


def test_twice_is_as_good_as_once(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    for _ in range(2):
        assert halt(run).returncode == 0
    assert exchange.position() == 0


def test_what_is_not_ours_is_left_alone(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    order = {"instrument_name": "BTC_USDC-PERPETUAL", "amount": Decimal("0.01"), "type": "market"}
    with closing(Admin(run.url)) as admin:
        admin.call("admin/order", side="buy", **order)
    done = halt(run)
    assert done.returncode == 0, done.stderr
    assert "not ours" in done.stdout
    assert "0.01" in done.stdout.split("not ours")[1]


def test_an_exchange_that_is_away_is_said_and_the_file_stays(run: Run) -> None:
    run.url = "ws://127.0.0.1:9/ws/api/v2"
    run.data.mkdir()
    (run.home / "quick.py").write_text(
        "from tradebaas.commands import direct_halt\nfrom tradebaas import cli\n"
        "direct_halt.LIMIT_S = 1.0\ncli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "quick.py", "halt", "--config", str(run.configure())],
        capture_output=True, text=True, cwd=run.home, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing more was done at the exchange: not flat within 1 s" in done.stderr
    assert read_halt(Place(run.data)) != ""


@dataclass
class Spoken:
    """What a command says, line by line, with when."""

    process: "subprocess.Popen[str]"
    lines: list[tuple[float, str]] = field(default_factory=list)

    def until(self, word: str) -> float:
        """The moment at which a line begins with ``word``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))
            if line.startswith(word):
                return self.lines[-1][0]
        pytest.fail(f"nothing of {word!r} in {self.lines}")

    def said(self, word: str) -> str:
        return next(line for _, line in self.lines if line.startswith(word))


def test_a_frozen_exchange_is_said_at_once_and_waited_for(
    run: Run, exchange: Books, tmp_path: Path
) -> None:
    kill_with_a_position(run, exchange)
    stop = exchange.live_stops()[0]["trigger_price"]
    pid = json.loads((tmp_path / "exchange" / "address").read_text())["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        process = subprocess.Popen(
            [sys.executable, "-um", "tradebaas", "halt", "--config", str(run.configure())],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=run.home,
            env=environment(),
        )  # fmt: skip
        spoken = Spoken(process)
        began = spoken.until("store")
        told = spoken.until("to do")
        again = spoken.until("waiting")
    finally:
        os.kill(pid, signal.SIGCONT)
    with process:
        spoken.until("flat")
        assert process.wait(LIMIT_S) == 0
    assert told - began < LIMIT_S / 2
    assert again - told < LIMIT_S / 2
    assert "cannot be reached" in spoken.said("unreachable")
    assert f"rests at the exchange ({stop})" in spoken.said("protection")
    assert "stay forbidden" in spoken.said("entries")
    assert "on the exchange's own page" in spoken.said("to do")
    assert exchange.position() == 0


def test_a_reason_steers_no_terminal_and_is_short(run: Run) -> None:
    run.data.mkdir()
    config = str(run.configure())
    hostile = "\x1b]0;mine\x07red\x1b[31m\n\u202e"
    done = tradebaas("halt", hostile, "--file-only", "--config", config, cwd=run.home)
    assert done.returncode == 0, done.stderr
    assert read_halt(Place(run.data)) == "operator:  ]0;mine red [31m"
    (run.data / "HALT").write_bytes(b"by hand \x1b[2J \xff")
    shown = tradebaas("resume", "--config", config, cwd=run.home)
    assert shown.returncode == 0, shown.stderr
    assert "by hand  [2J" in shown.stdout
    assert "\x1b" not in shown.stdout
    for command in ("halt", "close"):
        refused = tradebaas(command, "x" * 201, "--config", config, cwd=run.home)
        assert refused.returncode == 2
        assert "has 201 characters, at most 200" in refused.stderr
    assert read_halt(Place(run.data)) == ""


def test_a_store_of_another_exchange_is_not_acted_on(run: Run, exchange: Books) -> None:
    kill_with_a_position(run, exchange)
    done = tradebaas("halt", "--data", str(run.data), cwd=run.home / "..")
    assert done.returncode == 1
    assert "name the daemon's own with --config" in done.stderr
    assert exchange.protected()


# ---------------------------------------------------------------------------------- without a disk


@pytest.fixture
def disk(tmp_path: Path, run: Run) -> Iterator[Volume]:
    """The daemon's data lie on a file system that can be broken."""
    reason = refusal(Need.EXT4)
    if reason:
        pytest.skip(f"a file system of its own cannot be had here: {reason}")
    volume = Volume(tmp_path / "volume", "ext4", 256)
    (volume.root / "data").mkdir()
    run.data.symlink_to(volume.root / "data")
    try:
        yield volume
    finally:
        run.end()
        volume.end()


@pytest.mark.parametrize("alive", [True, False])
def test_a_broken_disk_keeps_no_halt_from_the_exchange(
    run: Run, exchange: Books, disk: Volume, alive: bool
) -> None:
    """Neither the daemon nor the command can write a byte any more."""
    run.start()
    run.covered()
    run.poll((run.data / "address").exists, "the API")
    run.until(lambda state: state.funding.through_ms > 0, "the reading of what holding has cost")
    disk.break_off()
    if not alive:
        run.signal(signal.SIGKILL)
        run.wait_end()
    done = halt(run)
    assert run.wait_end() == (75 if alive else -signal.SIGKILL)
    assert exchange.position() == 0, done.stdout + done.stderr
    assert live(run) == set()
    assert ("acting at the exchange without it" in run.words()) is alive
    assert done.returncode == 1
    assert "nothing of ours is open at the exchange, but cannot write" in done.stderr
    assert "keep it from starting" in done.stderr


@pytest.mark.parametrize(
    "error, ends", [("StoreFault('an I/O error')", True), ("DiskFull('no space')", False)]
)
def test_a_daemon_that_cannot_store_a_halt_carries_it_out(
    run: Run, exchange: Books, error: str, ends: bool
) -> None:
    (run.home / "unstored.py").write_text(UNSTORED.format(error=error), encoding="utf-8")
    run.program = ("unstored.py",)
    run.start()
    run.covered()
    write_halt(Place(run.data), "by hand")
    if ends:
        assert run.wait_end() == 75
    else:
        run.poll(lambda: "nothing of ours is left" in run.words(), "the end of the deed")
        assert run.process is not None
        os.kill(run.process.pid, signal.SIGKILL)
    assert exchange.position() == 0
    assert live(run) == set()
    assert "acting at the exchange without it" in run.words()
    assert "nothing of ours is left" in run.words()
