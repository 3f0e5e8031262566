"""``backup drill`` with real processes: what it proves, what it calls no good, what it leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from tests.unit.actors.process import environment
from tests.unit.cli.stores import STARTED, WALL_MS, record_of, write_store
from tests.unit.cli.stores import tradebaas as here
from tradebaas.core.events import Event, Linked, PositionAdopted, Reconciled
from tradebaas.core.model import ContractKind, Direction, Position
from tradebaas.store import catalogue
from tradebaas.store.catalogue import DRILL, read_note, verified_backups
from tradebaas.store.disk import SYSTEM_DISK
from tradebaas.store.log import Log
from tradebaas.store.place import Place

LIMIT_S = 60.0


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A store with a backup; it belongs to an account at Deribit."""
    directory = tmp_path / "data"
    write_store(directory)
    _backed_up(directory)
    return directory


def _backed_up(data: Path) -> None:
    assert here("backup", "create", "--data", data).exit_code == 0


def drill(data: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tradebaas", "backup", "drill", "--data", str(data), *more]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT_S,
        env=environment(TRADEBAAS_CLIENT_SECRET="of the real key"), cwd=data.parent, check=False,
    )  # fmt: skip


def assert_nothing_left(data: Path) -> None:
    assert not (data / "drill").exists()
    scratch = str(data / "drill")
    left = [p.cmdline() for p in psutil.process_iter() if scratch in " ".join(_words(p))]
    assert left == []


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_the_newest_backup_is_restored_started_and_compared(data: Path) -> None:
    before = sorted(path.name for path in data.rglob("*"))
    done = drill(data, "--json")
    assert done.returncode == 0, done
    [info] = verified_backups(Place(data))
    found = json.loads(done.stdout)
    assert (found["backup"], found["events"]) == (info.name, info.seq)
    assert found["state_digest"] == info.state_digest
    assert found["halted"].startswith("halt file: restored from")
    assert (found["trades"], found["reconciled"]) == (0, "")
    for step in ("restored", "folded", "started", "reconciled", "compared"):
        assert step in done.stderr
    assert_nothing_left(data)
    after = sorted(path.name for path in data.rglob("*"))
    assert set(after) - set(before) == {"drill.json", "drill.lock"}
    note = read_note(Place(data), DRILL)
    assert note is not None
    assert time.time() - note.at_ms / 1000 < LIMIT_S


def test_a_position_that_only_the_real_account_has_is_no_reason_to_fail(data: Path) -> None:
    """The first is on an instrument that the embedded exchange lists, the second is not."""
    _hold(data, "BTC-PERPETUAL")
    _backed_up(data)
    done = drill(data)
    assert done.returncode == 0, done
    assert "was read in full" in done.stdout
    _hold(data, "ETH-PERPETUAL")
    _backed_up(data)
    done = drill(data)
    assert done.returncode == 0, done
    assert "not tried: the embedded exchange has no ETH-PERPETUAL" in done.stdout
    assert_nothing_left(data)


def test_a_store_whose_exchange_was_ahead_of_the_wall_is_no_reason_to_fail(data: Path) -> None:
    """As the embedded one is that plays faster than time passes."""
    log = Log.open(Place(data), now_ms=WALL_MS)
    log.recover(0)
    ahead = Reconciled(connection=1, read_ms=round(time.time() * 1000) + 5 * 86_400_000)
    log.append([record_of(ahead, 2)])
    log.close()
    _backed_up(data)
    done = drill(data)
    assert done.returncode == 0, done
    assert "was read in full" in done.stdout


def _hold(data: Path, instrument: str) -> None:
    """Append that this store's account, at Deribit, has a position of ours."""
    position = Position(
        instrument=instrument,
        contract=ContractKind.INVERSE,
        currency=instrument[:3],
        size=Decimal(100),
        direction=Direction.BUY,
        ours=True,
        signal_id="",
        opened_ms=WALL_MS,
        changed_ms=WALL_MS,
        entry_amount=Decimal(100),
        entry_value=Decimal("0.002"),
    )
    write_store(data, [STARTED])
    log = Log.open(Place(data), now_ms=WALL_MS)
    log.recover(0)
    events: list[Event] = [
        Linked(connection=9, account="paper"),
        PositionAdopted(position=position, at_ms=WALL_MS, how="a test"),
    ]
    log.append([record_of(event, 2) for event in events])
    log.close()


@pytest.mark.parametrize("damage", ["changed", "digest", "gone", "all"])
def test_a_backup_that_is_not_what_was_verified_fails_the_drill(data: Path, damage: str) -> None:
    [info] = verified_backups(Place(data))
    path = data / "backups" / info.name
    if damage == "changed":
        content = bytearray(path.read_bytes())
        content[5000] ^= 1
        path.write_bytes(content)
    elif damage == "digest":
        catalogue.write_sidecar(SYSTEM_DISK, path, replace(info, state_digest="00" * 32))
    elif damage == "gone":
        path.unlink()
    else:
        shutil.rmtree(data / "backups")
    done = drill(data, *([info.name] if damage == "changed" else []))
    assert done.returncode == 75
    words = {
        "changed": "is not what was verified", "digest": f"{'00' * 32} was verified",
        "gone": "no verified backup that is intact", "all": "no verified backup that is intact",
    }  # fmt: skip
    assert words[damage] in done.stderr
    assert_nothing_left(data)
    assert read_note(Place(data), DRILL) is None


def test_a_daemon_that_cannot_start_on_it_fails_the_drill(data: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sys\nif '--rehearse' in sys.orig_argv: sys.exit('a bad release')\n"
    )
    command = [sys.executable, "-m", "tradebaas", "backup", "drill", "--data", str(data)]
    path = f"{broken}{os.pathsep}{environment()['PYTHONPATH']}"
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(PYTHONPATH=path), check=False
    )
    assert done.returncode == 75
    assert "the daemon on the restored store ended: " in done.stderr
    assert done.stderr.endswith("SystemExit: a bad release\n")
    assert_nothing_left(data)


def test_a_drill_that_is_ended_leaves_nothing_and_one_that_was_killed_is_swept_up(
    data: Path,
) -> None:
    (data / "drill").mkdir()
    (data / "drill" / "old").write_text("of a drill that died")
    command = [sys.executable, "-m", "tradebaas", "backup", "drill", "--data", str(data)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + LIMIT_S
    while not (data / "drill" / "daemon.log").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not (data / "drill" / "old").exists()
    second = drill(data)
    assert second.returncode == 75
    assert "another drill is being made" in second.stderr
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert_nothing_left(data)
    assert drill(data).returncode == 0


def test_nobody_rehearses_on_a_real_store(data: Path) -> None:
    refused = here("run", "--rehearse", "--data", data)
    assert refused.exit_code == 78
    assert "is not the directory of a `backup drill`" in refused.stderr
