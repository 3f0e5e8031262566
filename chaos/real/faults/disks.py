"""Harm to the disk under the data: full, read-only, gone, failing, slow, stalled, locked.

A full disk never ends the process: it gives up its ballast, may protect and close but not open, and
trades again when space is back. A disk that fails ends it with 75 at once, since nobody knows what
it then holds; the next start, on a disk that works again, has everything that was acknowledged.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from chaos.real.fault import UNHELD, Act, End, Fault, Need, nothing
from chaos.real.lock import held_commit
from chaos.real.processes import Point
from chaos.real.scene import Scene
from chaos.real.tracer import injected
from chaos.real.volume import Volume
from tradebaas.core.state import State

DISK_FULL = "disk full"
NOTICE_LIMIT_S = 20.0
"""For a log that goes round in the space it has: until it must grow."""
END_LIMIT_S = 10.0
SPACE_LIMIT_S = 15.0
"""The daemon looks for space every 5 s."""
UP_LIMIT_S = 6.0
MOST_READS = 12
FOREIGN_LOCK_S = 1.6
"""The daemon waits for a second."""


def _volume(scene: Scene) -> Volume:
    volume = scene.driver.stage.volume
    assert volume is not None, "the profile has no file system of its own"
    return volume


# ------------------------------------------------------------------------------------ a full disk


def _fill(scene: Scene) -> None:
    _volume(scene).fill()


def _notices(scene: Scene) -> None:
    """It gives up the ballast, goes on, and opens nothing."""
    scene.driver.witness.excuse("persister DiskFull")
    seen = _commit_until(scene, lambda state: DISK_FULL in state.protect)
    scene.demand(seen, "alive", f"a full disk was not noticed within {NOTICE_LIMIT_S:g} s")
    scene.stays_protected()


def _halts(scene: Scene) -> None:
    """A halt must hold, space or not."""
    scene.driver.witness.excuse("persister DiskFull")
    answer = scene.driver.insist("/api/halt", {"reason": "chaos"})
    scene.demand(answer.ok, "durable", f"a halt on a full disk was answered {answer.status}")
    latch = scene.driver.daemon.data / "HALT"
    scene.demand(latch.exists(), "durable", "a halt on a full disk left no halt file")
    scene.stays_protected()


def _gives_all(scene: Scene) -> None:
    """When the ballast's space is gone too the daemon waits inside, and says what it waits for."""
    _notices(scene)
    _volume(scene).fill()
    scene.nothing_is_kept()
    _commit_until(scene, lambda _: _told(scene, "no space"))
    scene.demand(_told(scene, "no space"), "fail closed", "/health does not say that it is full")
    scene.stays_protected()


def _kill_and_fill(scene: Scene) -> None:
    """The next start has the ballast and nothing else."""
    scene.driver.kill_process()
    _volume(scene).fill()
    _start(scene)


def _kill_and_fill_all(scene: Scene) -> None:
    """The next start has nothing at all."""
    driver = scene.driver
    driver.kill_process()
    (driver.daemon.data / "ballast").unlink(missing_ok=True)
    _volume(scene).fill()
    _start(scene)


def _start(scene: Scene) -> None:
    scene.struck_dead()
    scene.driver.start()
    scene.driver.witness.excuse("persister DiskFull")


def _rises_protecting(scene: Scene) -> None:
    driver = scene.driver
    driver.await_recovery(driver.state.life)
    scene.demand(DISK_FULL in driver.state.protect, "gated", "no protect-only on a full disk")


def _waits_inside(scene: Scene) -> None:
    driver = scene.driver
    scene.watch(UP_LIMIT_S, lambda _: driver.find_api_by_words())
    scene.watch(UP_LIMIT_S, lambda _: _told(scene, "no space"))
    scene.demand(_told(scene, "no space"), "fail closed", "/health does not say that it is full")
    keeper, pid = driver.stage.keeper, driver.daemon.pid
    if keeper is not None:
        asked = scene.watch(UP_LIMIT_S, lambda _: keeper.heard(pid, "EXTEND_TIMEOUT_USEC="))
        scene.demand(asked, "alive", "it does not ask for more time to start")
    scene.stays_protected()


def _free(scene: Scene) -> None:
    _volume(scene).free()
    scene.mended()


def _trades_again(scene: Scene) -> None:
    """Protect-only ends by itself; only then has it recovered, where it was in that."""
    driver = scene.driver
    driver.wait(lambda state: DISK_FULL not in state.protect, "the end of protect-only",
                SPACE_LIMIT_S)  # fmt: skip
    if scene.protecting:
        scene.played.recovery = time.monotonic() - scene.mended_at
    scene.demand((driver.daemon.data / "ballast").exists(), "alive", "the ballast is not back")


def _fill_inodes(scene: Scene) -> None:
    _volume(scene).fill_inodes()


def _commit_until(scene: Scene, until: Callable[[State], bool]) -> bool:
    """Make the daemon commit, by commands, until ``until`` holds; False when it never does."""
    driver, over = scene.driver, time.monotonic() + NOTICE_LIMIT_S
    while time.monotonic() < over and driver.daemon.running:
        if until(driver.peek()):
            return True
        path = "/api/strategy/stop" if driver.state.armed else "/api/strategy/start"
        answer = driver.command(path)
        time.sleep(0.0 if answer is not None and answer.ok else 0.05)
    return False


def _told(scene: Scene, words: str) -> bool:
    """Whether /health says these words."""
    body = scene.driver.health()
    return body is not None and words in str(body)


# ---------------------------------------------------------------------------------- a broken disk


def _break_off(scene: Scene) -> None:
    scene.driver.api()
    _volume(scene).break_off()
    scene.nothing_is_kept()


def _cut_power(scene: Scene) -> None:
    """Disk and process at once."""
    _volume(scene).cut_power()
    scene.driver.end_process()


def _take_away(scene: Scene) -> None:
    scene.driver.api()
    _volume(scene).cut_power()
    scene.nothing_is_kept()


def _ends(scene: Scene) -> None:
    """The process ends by itself; nothing may look into the file system meanwhile."""
    scene.driver.poke(END_LIMIT_S)
    scene.stays_protected()


def _repair(scene: Scene) -> None:
    if scene.driver.daemon.running:
        scene.fate = End.LIVES
        scene.driver.end_process()
    _volume(scene).repair()
    scene.mended()


def _failing(syscall: str, error: str) -> Act:
    """Let each of these calls fail until the process has ended, or for a while."""

    def inject(scene: Scene) -> None:
        driver = scene.driver
        driver.api()
        log = driver.home / "strace.out"
        with injected(driver.daemon.pid, syscall, f"error={error}", log):
            scene.nothing_is_kept()
            driver.poke(END_LIMIT_S)
        scene.mended()

    return inject


def _unreadable(scene: Scene) -> None:
    """The next start cannot read its store."""
    driver = scene.driver
    store = driver.daemon.store
    driver.kill_process()
    nth = driver.rng.randint(1, MOST_READS)
    scene.note(f"read {nth}")
    files = (store, store.with_name(f"{store.name}-wal"))
    driver.start(Point("pread64", nth, "error=EIO", files))
    scene.must_die = True
    life = driver.state.life
    scene.watch(END_LIMIT_S, lambda state: state.life > life and state.life in driver.story.reports)


def _slow(scene: Scene) -> None:
    """A disk that takes its time: everything goes on, slowly."""
    driver, seconds = scene.driver, scene.driver.rng.uniform(1.0, 3.0)
    scene.note(f"{seconds:.1f} s")
    wait = f"delay_enter={driver.rng.choice((50_000, 200_000, 400_000))}"
    with injected(driver.daemon.pid, "fdatasync", wait, driver.home / "strace.out"):
        scene.watch(seconds, lambda _: False)
    scene.mended()


def _stall(scene: Scene) -> None:
    """No write returns for a while; nobody may look into the file system meanwhile."""
    seconds = scene.driver.rng.uniform(0.2, 2.5)
    scene.note(f"{seconds:.1f} s")
    _volume(scene).freeze()
    try:
        time.sleep(seconds)
    finally:
        _volume(scene).thaw()
    scene.mended()


def _lock(scene: Scene) -> None:
    """A foreign program holds SQLite's lock: the life ends, the next one starts from the log."""
    driver = scene.driver
    driver.witness.excuse("persister StoreLocked")
    driver.api()
    with held_commit(driver.daemon.store):
        path = "/api/strategy/stop" if driver.state.armed else "/api/strategy/start"
        driver.command(path, {}, 0.1)
        time.sleep(FOREIGN_LOCK_S)
    scene.mended()


def _on_volume(says: str, inject: Act, lasting: Act) -> Fault:
    return Fault(says, inject, lasting, _free, _trades_again, needs=(Need.VOLUME,), states=UNHELD)


def _on_ext4(says: str, inject: Act, lasting: Act = nothing) -> Fault:
    return Fault(says, inject, lasting, _repair, needs=(Need.EXT4,), states=UNHELD)


def _traced(says: str, inject: Act) -> Fault:
    return Fault(says, inject, needs=(Need.STRACE,), states=UNHELD)


FAULTS: dict[str, Fault] = {
    "disk-full": _on_volume("the disk fills up", _fill, _notices),
    "disk-full-halt": _on_volume("the disk fills up, then a halt", _fill, _halts),
    "disk-full-hard": _on_volume("the ballast's space fills up too", _fill, _gives_all),
    "disk-full-start": _on_volume("started on a full disk", _kill_and_fill, _rises_protecting),
    "disk-full-start-hard": _on_volume("started without any space", _kill_and_fill_all,
                                       _waits_inside),
    "disk-full-inodes": _on_volume("no file can be made", _fill_inodes, _halts),
    "disk-read-only": _on_ext4("the file system goes read-only", _break_off, _ends),
    "disk-gone": _on_ext4("the disk is gone, the process lives", _take_away, _ends),
    "power-cut": replace(_on_ext4("unsynced writes are lost", _cut_power), kind="power cut"),
    "eio-sync": _traced("fdatasync fails (EIO)", _failing("fdatasync", "EIO")),
    "eio-write": _traced("pwrite fails (EIO)", _failing("pwrite64", "EIO")),
    "eio-read": _traced("a read at the start fails (EIO)", _unreadable),
    "slow-sync": _traced("fdatasync takes its time", _slow),
    "stall": Fault("no write returns for a while", _stall, needs=(Need.VOLUME,), states=UNHELD),
    "locked": Fault("a foreign lock on the store", _lock),
}  # fmt: skip
