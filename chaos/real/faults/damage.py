"""Files that are gone, cut or changed when the daemon starts again.

Either nothing is missing and it recovers, or it refuses with the command that restores the newest
backup; that command is run as it stands, and brings the daemon back, halted. What must never be is
a daemon that goes on from a store which has lost what was acknowledged. Damage in a place that a
start does not read must be found by ``tradebaas verify``.
"""

import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from chaos.real.driver import Stuck
from chaos.real.fault import UNHELD, End, Fault
from chaos.real.processes import environment
from chaos.real.scene import Scene
from chaos.world.ledger import LedgerBroken, Tail, read_log, read_snapshots
from tradebaas.core.model import Phase

RESTORE = re.compile(r"Restore the newest verified backup with: (.+)")
"""What a refusal says to do."""
COMMAND_LIMIT_S = 30.0
RISE_LIMIT_S = 15.0
SNAPSHOT_LIMIT_S = 30.0
AGE_S = 0.4
"""For something to happen after the backup."""
WAL_HEADER, FRAME = 32, 4096 + 24

Harm = Callable[[Path, random.Random], None]
"""Does something to the files in a data directory."""


def _delete(*names: str) -> Harm:
    def harm(data: Path, _rng: random.Random) -> None:
        for name in names:
            (data / name).unlink(missing_ok=True)

    return harm


def _delete_backups(data: Path, _rng: random.Random) -> None:
    for file in (data / "backups").iterdir():
        file.unlink()


def _flip(path: Path, at: int, rng: random.Random) -> None:
    """Turn one bit of a byte."""
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ (1 << rng.randrange(8))]))


def _flip_db(data: Path, rng: random.Random) -> None:
    path = data / "tradebaas.db"
    _flip(path, rng.randrange(path.stat().st_size), rng)


def _flip_wal(*, early: bool) -> Harm:
    """In the first frames, or in the last ones: of whatever the log holds since it began anew."""

    def harm(data: Path, rng: random.Random) -> None:
        path = data / "tradebaas.db-wal"
        frames = (path.stat().st_size - WAL_HEADER) // FRAME
        if frames > 0:
            some = max(frames // 4, 1)
            frame = rng.randrange(some) if early else frames - 1 - rng.randrange(some)
            _flip(path, WAL_HEADER + frame * FRAME + rng.randrange(FRAME), rng)

    return harm


def _flip_head(data: Path, rng: random.Random) -> None:
    """In one slot or in both."""
    for slot in rng.choice(((0,), (4096,), (0, 4096))):
        _flip(data / "head", slot + rng.randrange(64), rng)


def _flip_snapshot(data: Path, rng: random.Random) -> None:
    """As a tool would that changes a stored state."""
    connection = apsw.Connection(str(data / "tradebaas.db"))
    try:
        rows = connection.execute("SELECT seq, body FROM snapshots ORDER BY seq DESC").fetchall()
        seq, body = rows[0]
        assert isinstance(body, bytes)
        at = rng.randrange(len(body))
        bent = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        connection.execute("UPDATE snapshots SET body = ? WHERE seq = ?", (bent, seq))
    finally:
        connection.close()


def _cut(name: str) -> Harm:
    """Take away the end of a file."""

    def harm(data: Path, rng: random.Random) -> None:
        path = data / name
        size = path.stat().st_size
        os.truncate(path, rng.randrange(size) if size else 0)

    return harm


def _empty_db(data: Path, _rng: random.Random) -> None:
    os.truncate(data / "tradebaas.db", 0)


def _older_copy(data: Path, _rng: random.Random) -> None:
    """A copy that somebody made, put back with cp."""
    newest = max((data / "backups").glob("*.db"))
    (data / "tradebaas.db").write_bytes(newest.read_bytes())
    for name in ("tradebaas.db-wal", "tradebaas.db-shm"):
        (data / name).unlink(missing_ok=True)


def _backup_as_well(data: Path, rng: random.Random) -> None:
    """The database is gone and the newest backup is damaged: an older one must be named."""
    newest = max((data / "backups").glob("*.db"))
    _flip(newest, rng.randrange(newest.stat().st_size), rng)
    (data / "tradebaas.db").unlink()


# ---------------------------------------------------------------------------------------- a round


def _harmed(harm: Harm, backups: int) -> Callable[[Scene], None]:
    """Back up, let something happen, kill, harm, start."""

    def inject(scene: Scene) -> None:
        driver = scene.driver
        for _ in range(backups):
            _command(scene, f"backup create --data {driver.daemon.data}")
            _let_something_happen(scene)
        driver.kill_process()
        harm(driver.daemon.data, driver.rng)
        scene.struck_dead(End.RECOVERED)
        driver.start()
        scene.mended()

    return inject


def _flip_some_snapshot(scene: Scene) -> None:
    """Early in a campaign there is none yet."""
    driver, over = scene.driver, time.monotonic() + SNAPSHOT_LIMIT_S
    while not read_snapshots(driver.daemon.store):
        if time.monotonic() > over:
            raise Stuck(driver.describe(f"no state was stored within {SNAPSHOT_LIMIT_S:g} s"))
        _let_something_happen(scene)
    _harmed(_flip_snapshot, 1)(scene)


def _let_something_happen(scene: Scene) -> None:
    """Something that only the log after the backup knows."""
    for path in ("/api/strategy/stop", "/api/strategy/start"):
        scene.driver.command(path)
    scene.watch(scene.driver.rng.random() * AGE_S)


def _halt_and_delete(scene: Scene) -> None:
    """The halt file is gone; the log knows of the halt all the same."""
    scene.driver.insist("/api/halt", {"reason": "chaos"})
    scene.driver.witness.take_halt_file()
    _harmed(_delete("HALT"), 0)(scene)


def _still_halted(scene: Scene) -> None:
    scene.demand(scene.driver.state.halted is not None, "durable", "the halt is forgotten")


def _rises_or_refuses(scene: Scene) -> None:
    """Nobody may look into the store before the daemon has: that would repair it."""
    driver = scene.driver
    over, seq = time.monotonic() + RISE_LIMIT_S, driver.story.tail.seq
    while time.monotonic() < over and driver.daemon.running and driver.head().seq <= seq:
        time.sleep(0.01)
    if not driver.daemon.running:
        scene.fate = None  # it refused: the exit code says how


def _restore(scene: Scene) -> None:
    """As the refusal says, word by word."""
    driver = scene.driver
    advised = RESTORE.search(driver.daemon.said())
    if driver.daemon.running:
        return
    if advised is None:
        raise Stuck(driver.describe("it refused its store without a restore command"))
    _run(scene, advised[1])
    scene.fate = End.RESTORED
    scene.forget_story()


def _whole(scene: Scene) -> None:
    """A restored daemon is halted; in any other the whole log must be as it was."""
    driver = scene.driver
    if scene.fate is End.RESTORED:
        _is_restored(scene)
        return
    try:
        read_log(driver.daemon.store, Tail())
    except LedgerBroken:
        _found_by_verify(scene)


def _is_restored(scene: Scene) -> None:
    driver = scene.driver
    halted = driver.state.halted
    scene.demand(halted is not None, "fail closed", "restored, and not halted")
    driver.wait(
        lambda s: s.position is None and s.phase in (Phase.IDLE, Phase.ANALYZING),
        "flat after the restore",
    )
    scene.judge_anew = True


def _found_by_verify(scene: Scene) -> None:
    """What a start does not read may be damaged without its knowing; ``verify`` reads it all."""
    driver = scene.driver
    scene.note("in a part that is not read")
    code = _command(scene, f"verify --full --data {driver.daemon.data}", may_fail=True)
    scene.demand(code != 0, "durable", "verify --full passes a log that is damaged")
    backups = driver.daemon.data / "backups"
    driver.kill_process()
    newest = max(backups.glob("*.db")).name
    _command(scene, f"backup restore --yes --data {driver.daemon.data} {newest}")
    scene.forget_story()
    scene.fate = End.RESTORED
    driver.start()
    driver.await_recovery(0)
    _is_restored(scene)


def _command(scene: Scene, arguments: str, *, may_fail: bool = False) -> int:
    """A ``tradebaas`` command; its exit code."""
    program = f"{shlex.quote(sys.executable)} -m tradebaas"
    return _run(scene, f"{program} {arguments}", may_fail=may_fail)


def _run(scene: Scene, line: str, *, may_fail: bool = False) -> int:
    done = subprocess.run(
        line, shell=True, env=environment(), capture_output=True, text=True,
        timeout=COMMAND_LIMIT_S, check=False, start_new_session=True,
    )  # fmt: skip
    if done.returncode != 0 and not may_fail:
        said = f"{line}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        raise Stuck(scene.driver.describe(said))
    return done.returncode


def _damaged(says: str, harm: Harm, backups: int = 1) -> Fault:
    inject = _harmed(harm, backups)
    return Fault(says, inject, _rises_or_refuses, _restore, _whole, states=UNHELD)


DB, WAL, SHM = "tradebaas.db", "tradebaas.db-wal", "tradebaas.db-shm"
FAULTS: dict[str, Fault] = {
    "delete-db": _damaged("the database is gone", _delete(DB)),
    "delete-all": _damaged("database, log and index are gone", _delete(DB, WAL, SHM)),
    "delete-wal": _damaged("the write-ahead log is gone", _delete(WAL)),
    "delete-shm": _damaged("the index of the log is gone", _delete(SHM)),
    "delete-head": _damaged("data/head is gone", _delete("head")),
    "delete-lock": _damaged("data/lock is gone", _delete("lock")),
    "delete-ballast": _damaged("the ballast is gone", _delete("ballast")),
    "delete-token": _damaged("data/token is gone", _delete("token", "address")),
    "delete-backups": _damaged("all backups are gone", _delete_backups),
    "delete-halt": Fault("data/HALT is gone", _halt_and_delete, _rises_or_refuses, _restore,
                         _still_halted, states=UNHELD),
    "flip-db": _damaged("a bit of the database", _flip_db),
    "flip-wal-early": _damaged("a bit of an early frame", _flip_wal(early=True)),
    "flip-wal-late": _damaged("a bit of a late frame", _flip_wal(early=False)),
    "flip-head": _damaged("a bit of data/head", _flip_head),
    "flip-snapshot": Fault("a bit of a stored state", _flip_some_snapshot, _rises_or_refuses,
                           _restore, _whole, states=UNHELD),
    "cut-db": _damaged("the end of the database is gone", _cut(DB)),
    "cut-wal": _damaged("the end of the log is gone", _cut(WAL)),
    "empty-db": _damaged("the database is empty", _empty_db),
    "older-copy": _damaged("an older copy was put back", _older_copy),
    "flip-backup": _damaged("newest backup damaged too", _backup_as_well, 2),
}  # fmt: skip
