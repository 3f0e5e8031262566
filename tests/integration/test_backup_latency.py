"""What a backup by a child process costs the commits of a trading daemon.

It is compared with a peer: a child that copies, syncs and reads as many bytes, and never touches
the store. Both take their share of the machine; only the backup could hold a lock.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, cycle
from pathlib import Path
from statistics import median, quantiles

from tests.unit.actors.process import environment
from tests.unit.cli.stores import STARTED, WALL_MS, record_of
from tradebaas.core.decide import Decision, decide
from tradebaas.core.messages import Halt, Request, Resume
from tradebaas.core.risk import Limits
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.store.catalogue import list_backups
from tradebaas.store.folding import snapshot_of
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

EVENTS = 12_000
EVENT_BYTES = 5_000
COMMITS = 300
ROUNDS = 4
BOUND = 4.0
"""Of backup to peer, by turns on the same busy machine: caught is whoever waits for the copy."""
PEER = """
import hashlib, os, sys, time
source, target, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
until = time.monotonic() + seconds
with open(source, "rb") as file, open(target, "wb") as copy:
    while data := file.read(1 << 16):
        copy.write(data)
    copy.flush()
    os.fsync(copy.fileno())
while time.monotonic() < until:
    with open(target, "rb") as file:
        hashlib.file_digest(file, "sha256")
"""


def records(state: State, reason: str) -> Iterator[tuple[State, list[NewRecord]]]:
    """What halting and resuming by turns leads to, for ever."""
    requests: list[Request] = [Halt(by="operator", reason=reason), Resume(by="operator")]
    for request in cycle(requests):
        decision = decide(state, request, Limits())
        assert isinstance(decision, Decision), decision
        state = decision.state
        yield state, [record_of(event, state.life) for event in decision.events]


def timed(log: Log, batch: list[NewRecord]) -> float:
    before = time.perf_counter()
    log.append(batch)
    return time.perf_counter() - before


def beside(child: "subprocess.Popen[str]", write: Callable[[], float]) -> list[float]:
    """How long each commit took while a child was at work; it must succeed."""
    took: list[float] = []
    while child.poll() is None:
        took.append(write())
        time.sleep(0.001)
    said, _ = child.communicate()
    assert child.returncode == 0, said
    return took


def started(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def filled(log: Log) -> Iterator[tuple[State, list[NewRecord]]]:
    """Write a long history; what comes after it, in small commits."""
    log.recover(FOLD_VERSION)
    begun = decide(State(), STARTED, Limits())
    assert isinstance(begun, Decision)
    state = begun.state
    history = [record_of(event, 1) for event in begun.events]
    big = records(state, "x" * EVENT_BYTES)
    while len(history) < EVENTS or state.halted is not None:
        state, batch = next(big)
        history += batch
    log.append(history, snapshot_of(state))
    small = records(state, "lunch")
    log.append(next(small)[1])  # moves the history into the database
    return small


def test_commits_do_not_wait_for_a_backup(tmp_path: Path) -> None:
    place = Place(tmp_path / "data")
    log = Log.open(place, now_ms=WALL_MS)
    small = filled(log)

    def write() -> float:
        return timed(log, next(small)[1])

    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copy(place.db, source)
    backups, copies = list[list[float]](), list[list[float]]()
    for _ in range(ROUNDS):
        began = time.monotonic()
        backup = started("-m", "tradebaas", "backup", "create", "--data", place.root, "--full")
        backups.append(beside(backup, write))
        peer = started("-c", PEER, source, target, time.monotonic() - began)
        copies.append(beside(peer, write))
    log.close()

    infos = [each.info for each in list_backups(place)]
    assert len(infos) == ROUNDS
    size = min(info.size for info in infos if info is not None)
    assert size > EVENTS * EVENT_BYTES / 2
    during, peers = list(chain(*backups)), list(chain(*copies))
    assert len(during) > COMMITS, "the backups were too quick for anything to be measured"
    ratio = median(during) / median(peers)
    late = quantiles(during, n=20)[-1] / quantiles(peers, n=20)[-1]
    held = min(map(max, backups)) / min(map(max, copies))
    print(
        f"{len(during)} commits beside {ROUNDS} backups of {size >> 20} MiB: p50 "
        f"{median(during) * 1000:.2f} ms, {ratio:.2f} times that beside a peer; p95 {late:.2f} "
        f"times, longest {max(during) * 1000:.1f} ms (beside the peer: {max(peers) * 1000:.1f} ms);"
        f" the longest of the best round {held:.2f} times"
    )
    assert ratio < BOUND
    assert held < BOUND, "each backup has kept a commit waiting"
