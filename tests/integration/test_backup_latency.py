"""What a backup by a child process costs the commits of a trading daemon: a ratio of one run."""

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle
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
BOUND = 5.0
"""Two processes on a busy machine of two cores: what is to be caught is waiting for the copy."""


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


def test_commits_do_not_wait_for_a_backup(tmp_path: Path) -> None:
    log = Log.open(Place(tmp_path), now_ms=WALL_MS)
    log.recover(FOLD_VERSION)
    started = decide(State(), STARTED, Limits())
    assert isinstance(started, Decision)
    state = started.state
    history = [record_of(event, 1) for event in started.events]
    big = records(state, "x" * EVENT_BYTES)
    while len(history) < EVENTS or state.halted is not None:
        state, batch = next(big)
        history += batch
    log.append(history, snapshot_of(state))

    small = records(state, "lunch")
    log.append(next(small)[1])  # moves the history into the database
    without = [timed(log, next(small)[1]) for _ in range(COMMITS)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tradebaas", "backup", "create", "--data", str(tmp_path), "--full"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    during: list[float] = []
    while child.poll() is None:
        during.append(timed(log, next(small)[1]))
        time.sleep(0.001)
    without += [timed(log, next(small)[1]) for _ in range(COMMITS)]
    log.close()

    said, _ = child.communicate()
    assert child.returncode == 0, said
    [backup] = list_backups(Place(tmp_path))
    assert backup.info is not None
    assert backup.info.size > EVENTS * EVENT_BYTES / 2
    assert len(during) > COMMITS / 2, "the backup was too quick for anything to be measured"
    ratio = median(during) / median(without)
    late = quantiles(during, n=20)[-1] / quantiles(without, n=20)[-1]
    print(
        f"{len(during)} commits beside a backup of {backup.info.size >> 20} MiB: p50 "
        f"{median(during) * 1000:.2f} ms, {ratio:.2f} times that without; p95 {late:.2f} times, "
        f"longest {max(during) * 1000:.1f} ms (without: {max(without) * 1000:.1f} ms)"
    )
    assert ratio < BOUND
