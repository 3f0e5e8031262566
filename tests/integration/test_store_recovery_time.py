"""The cost of a recovery does not depend on how long the history behind the snapshot is."""

import time
from pathlib import Path
from statistics import median

from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord, NewSnapshot

SHORT, LONG, TAIL = 1_000, 200_000, 500
FOLD = 1


def _make(data_dir: Path, history: int) -> None:
    record = NewRecord(at_ms=0, life=1, kind="Counted", version=1, body=b"x" * 120)
    snapshot = NewSnapshot(fold_version=FOLD, body=b"s" * 20_000, state_digest=b"d")
    log = Log.open(Place(data_dir), now_ms=0)
    log.recover(FOLD)
    while log.head.seq < history:
        log.append([record] * min(20_000, history - log.head.seq))
    log.append([], snapshot)
    log.append([record] * TAIL)
    log.close()


def _recovery_seconds(data_dir: Path) -> float:
    began = time.perf_counter()
    log = Log.open(Place(data_dir), now_ms=0)
    count = sum(1 for _ in log.recover(FOLD).tail)
    seconds = time.perf_counter() - began
    log.abandon()
    assert count == TAIL
    return seconds


def test_recovery_is_as_fast_behind_a_long_history_as_behind_a_short_one(tmp_path: Path) -> None:
    _make(tmp_path / "short", SHORT)
    _make(tmp_path / "long", LONG)
    pairs = [
        (_recovery_seconds(tmp_path / "short"), _recovery_seconds(tmp_path / "long"))
        for _ in range(15)
    ]
    ratio = median(long for _, long in pairs) / median(short for short, _ in pairs)
    assert ratio <= 2
