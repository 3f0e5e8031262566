"""Too little memory and too few file descriptors, in a running daemon and at its start.

The kernel kills who has no memory; that is a death as any other. Without descriptors the daemon
must neither lie half dead nor end without a word: it goes on, or ends with a code of its contract,
and is whole again once it may open files.
"""

import itertools
import resource
import time
from pathlib import Path

from chaos.real.admin import AdminRefused
from chaos.real.driver import Stuck
from chaos.real.fault import UNHELD, Fault, Need
from chaos.real.memory import MIB, MemoryGroup
from chaos.real.scene import Scene

KILL_LIMIT_S = 15.0
ROOM_MIB = 8
FILLING_MIB = 256
RISE_LIMIT_S = 15.0
STARVES_S = ("0.5", "2", "5")
FEWEST = 10
"""With fewer files Python itself does not start."""


def _group(scene: Scene) -> MemoryGroup:
    group = scene.driver.stage.group
    assert group is not None, "the profile has no memory group"
    return group


def _starve(scene: Scene) -> None:
    """Somebody else in the group takes all that is left."""
    driver, group = scene.driver, _group(scene)
    before = group.kills()
    driver.peek()
    driver.forget_api()
    group.limit(group.usage() + ROOM_MIB * MIB)
    group.fill(FILLING_MIB)
    dead = driver.daemon.wait_dead(KILL_LIMIT_S)
    scene.demand(dead and group.kills() > before, "alive", "the kernel killed nobody")


def _rise_in_little(scene: Scene) -> None:
    """The next process is killed wherever it needs more than it may have."""
    driver, group = scene.driver, _group(scene)
    driver.kill_process()
    life, megabytes = driver.state.life, driver.rng.randint(8, 60)
    before = group.kills()
    group.limit(megabytes * MIB)
    driver.start()
    scene.struck_dead()
    scene.watch(
        RISE_LIMIT_S, lambda state: state.life > life and state.life in driver.story.reports
    )
    killed = group.kills() > before
    scene.note(f"{megabytes} MiB: {'killed' if killed else 'enough'}")
    if not driver.daemon.running:
        code = driver.daemon.process.returncode if driver.daemon.process else 0
        scene.demand(code == -9, "alive", f"without memory it ended with {code}")


def _free(scene: Scene) -> None:
    _group(scene).free()
    scene.mended()


# ------------------------------------------------------------------------------------ descriptors


def _few(scene: Scene) -> None:
    """No more files than are open now, or one or two more; then need some."""
    driver = scene.driver
    pid = driver.daemon.pid
    driver.has_api()
    spare = driver.rng.randint(0, 2)
    scene.note(f"{spare} spare")
    _allow(pid, _limit_leaving(pid, spare))


def _needs_some(scene: Scene) -> None:
    """A lost link, commands, a look at its health: each wants a descriptor."""
    driver = scene.driver
    seconds = float(driver.draw("starves", STARVES_S))
    over = time.monotonic() + seconds
    while time.monotonic() < over and driver.daemon.running:
        try:
            driver.admin.call("admin/disconnect")
        except AdminRefused as refused:
            raise Stuck(driver.describe(str(refused))) from refused
        scene.mended()
        if driver.has_api():
            driver.command("/api/strategy/stop" if driver.state.armed else "/api/strategy/start",
                           {}, 0.3)  # fmt: skip
        time.sleep(0.2)
    scene.stays_protected()


def _allow_again(scene: Scene) -> None:
    """It may be ending of a file that it could not open: only a commit shows that it is not."""
    driver = scene.driver
    scene.mended()
    if not driver.daemon.running:
        return
    _allow(driver.daemon.pid, None)
    kept = driver.peek().seq
    scene.watch(RISE_LIMIT_S, lambda state: state.seq > kept)


def _rise_with_few(scene: Scene) -> None:
    """The next process may not open all the files that it needs; it must say so."""
    driver = scene.driver
    driver.kill_process()
    allowed, life = driver.rng.randint(FEWEST, 30), driver.state.life
    scene.note(f"{allowed} files")
    driver.start(before=f"ulimit -n {allowed}")
    scene.watch(
        RISE_LIMIT_S, lambda state: state.life > life and state.life in driver.story.reports
    )


def _stop(scene: Scene) -> None:
    """Only another start gives it more files; an orderly end must be possible without any."""
    driver = scene.driver
    driver.peek()
    driver.forget_api()
    driver.daemon.end()
    for cause in driver.story.causes.values():
        if cause.startswith("strategy "):
            driver.witness.excuse(cause)  # its code could not be read: a death as any other


def _allow(pid: int, number: int | None) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if number is None else number, hard))


def _limit_leaving(pid: int, spare: int) -> int:
    """The limit under which ``spare`` more files may be opened: it counts numbers, not files."""
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    free = (number for number in itertools.count() if number not in taken)
    return next(itertools.islice(free, spare, None))


FAULTS: dict[str, Fault] = {
    "oom": Fault("killed by the kernel for want of memory", _starve, heal=_free,
                 needs=(Need.MEMORY,), states=UNHELD),
    "oom-start": Fault("started with too little memory", _rise_in_little, heal=_free,
                       needs=(Need.MEMORY,)),
    "descriptors": Fault("may open no more files", _few, _needs_some, _allow_again,
                         states=UNHELD),
    "descriptors-start": Fault("started with too few files", _rise_with_few, heal=_stop),
}  # fmt: skip
