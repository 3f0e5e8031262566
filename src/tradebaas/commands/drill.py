"""``backup drill``: is the newest backup good for a bad day? It is restored and started, on trial.

In a directory of its own the backup is restored by the same code as on the day it is needed, the
real daemon is started on it against an embedded exchange, and what both come to is compared with
what was verified when the backup was made. Nothing of it is left behind, and neither the store nor
the account is touched. When it last went well is a metric.
"""

import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
import trio
from msgspec import Struct

from tradebaas.commands.common import NotDone, json_option, print_json, store_errors, with_config
from tradebaas.commands.inspect import read_state
from tradebaas.commands.rehearsal import MARK, booted, cannot_reconcile, daemon_on, end, last_words
from tradebaas.commands.verify import progress, verify_store
from tradebaas.config import Config
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.errors import Fatal
from tradebaas.store import ballast, catalogue
from tradebaas.store.backup import BackupFailed, only_one
from tradebaas.store.catalogue import BackupInfo
from tradebaas.store.faults import DiskFull, StoreLocked
from tradebaas.store.lock import Lock
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader
from tradebaas.store.records import Head
from tradebaas.store.restore import restore

SCRATCH = "drill"
SPACE = 64 << 20
"""What the daemon and its exchange need besides two copies of the store."""
Tell = Callable[[str, str], None]
"""Told of each step: what, and what came of it."""


class Drilled(Struct, frozen=True, kw_only=True):
    """What a drill found; ``reconciled`` is "" when the account was read in full, else why not."""

    backup: str
    events: int
    state_digest: str
    halted: str
    trades: int
    recovered_seconds: float
    reconciled: str


@click.command()
@with_config
@click.argument("name", default="")
@json_option
def drill(config: Config, name: str, as_json: bool) -> None:
    """Restore the backup NAME on trial, start the daemon on it, compare, and clean up.

    Without NAME the newest one that counts. It needs no key: the daemon meets an embedded exchange
    of its own. The running daemon, its store and its account are left alone. Exits with 75 when the
    backup could not be relied on.
    """
    place = Place(config.data_dir.absolute())

    def tell(what: str, came: str) -> None:
        click.echo(f"{what:12} {came}", err=as_json)

    with store_errors():
        info = _find(place, name)
        with _scratch(place) as scratch:
            found = trio.run(_until_signalled, partial(_drill, place, scratch, info, tell))
        catalogue.write_note(place, catalogue.DRILL, catalogue.Note(_now_ms()))
    if as_json:
        print_json(found)
    else:
        tell("drill", f"{info.name} can be restored and traded on")


async def _until_signalled(work: Callable[[], Awaitable[Drilled]]) -> Drilled:
    """Do ``work``, unless SIGTERM or Ctrl-C comes: then clean up and exit.

    Raises:
        NotDone: It was ended.
    """
    found: list[Drilled] = []
    failed: list[BaseException] = []
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(wait)
            try:
                found.append(await work())
            except (BackupFailed, DiskFull, StoreLocked, Fatal) as error:
                failed.append(error)
            nursery.cancel_scope.cancel()
    if failed:
        raise failed[0]
    if not found:
        raise NotDone("the drill was ended before it was done; it says nothing of the backup")
    return found[0]


async def _drill(place: Place, scratch: Place, info: BackupInfo, tell: Tell) -> Drilled:
    before = _restore(place, scratch, info, tell)
    problem = cannot_reconcile(before)
    async with daemon_on(scratch, before) as process:
        state = await booted(scratch, before, process, problem)
        seconds = state.last_recovery.recovered_seconds if state.last_recovery else 0.0
        tell("started", f"life {state.life}, halted by {state.halted.by}" if state.halted else "")
        tell("reconciled", problem or "the account of the embedded exchange was read in full")
        code = await end(process)
    if code:
        raise BackupFailed(f"the daemon on {info.name} ended with {code}: {last_words(scratch)}")
    after = _compare(scratch, info, before, tell)
    halted = f"{after.halted.by}: {after.halted.reason}" if after.halted else ""
    return Drilled(
        backup=info.name,
        events=info.seq,
        state_digest=info.state_digest,
        halted=halted,
        trades=after.counters.trades,
        recovered_seconds=seconds,
        reconciled=problem,
    )


def _find(place: Place, name: str) -> BackupInfo:
    """The backup to drill.

    Raises:
        BackupFailed: There is none that counts, or not that one.
    """
    infos = catalogue.verified_backups(place)
    wanted = name or catalogue.newest_intact(place)
    for info in infos:
        if info.name == wanted:
            return info
    what = f"no verified backup {name}" if name else "no verified backup that is intact"
    raise BackupFailed(f"there is {what} in {place.backups}: see `tradebaas backup list`")


# ------------------------------------------------------------------------------------ restoring


def _restore(place: Place, scratch: Place, info: BackupInfo, tell: Tell) -> State:
    """Restore into the scratch directory; the state that is there now.

    Raises:
        BackupFailed: It does not come to what was verified.
    """
    disk = place.disk
    ballast.require_free(disk, place.root, 2 * info.size + SPACE)
    disk.copy(place.backups / info.name, scratch.backups / info.name)
    catalogue.write_sidecar(disk, scratch.backups / info.name, info)
    restore(scratch, info.name, now_ms=_now_ms())
    tell("restored", f"{info.name}: {info.seq} events")
    with progress() as report:
        verified = verify_store(scratch.root, True, report)
    if info.fold_version == FOLD_VERSION and verified.state_digest != info.state_digest:
        raise BackupFailed(
            f"{info.name} folds to {verified.state_digest} now, {info.state_digest} was verified"
        )
    tell("folded", f"from event 1 to {verified.events}, state digest {verified.state_digest}")
    return read_state(scratch.root)


def _compare(scratch: Place, info: BackupInfo, before: State, tell: Tell) -> State:
    """What the daemon has made of it, held against what it was given.

    Raises:
        BackupFailed: Something differs.
        StoreDamaged: The store is not what was written.
    """
    with progress() as report:
        verify_store(scratch.root, True, report)
    with open_reader(scratch) as reader:
        kept = reader.head_at(info.seq) == Head(info.seq, bytes.fromhex(info.chain))
    after = read_state(scratch.root)
    flat = not (before.position or before.pending or before.elsewhere)
    trades, known = after.counters.trades, before.counters.trades
    checks = {
        f"its first {info.seq} events are not those of the backup": kept,
        "the daemon did not start halted": after.halted is not None,
        f"it counts {trades} trades, the backup has {known}": trades == known
        or (not flat and trades > known),
    }
    for problem, good in checks.items():
        if not good:
            raise BackupFailed(f"the drill of {info.name} failed: {problem}")
    tell("compared", f"{info.seq} events unchanged, halted, {trades} trades")
    return after


# ---------------------------------------------------------------------------------- the scratch


@contextmanager
def _scratch(place: Place) -> Iterator[Place]:
    """An empty directory beside the store, removed at the end; what a drill that died left goes.

    Raises:
        BackupFailed: Another drill is under way.
        StoreBusy: The daemon of a drill that died still runs.
    """
    scratch = Place(place.root / SCRATCH, place.disk)
    with only_one(place, "drill"):
        if scratch.root.exists():
            Lock.take(scratch, _now_ms()).release()
            shutil.rmtree(scratch.root)
        scratch.backups.mkdir(parents=True, mode=0o700)
        (scratch.root / MARK).touch()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch.root)


def _now_ms() -> int:
    from tradebaas.runtime.ports import SystemClock

    return SystemClock().wall_ms()
