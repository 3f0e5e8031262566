"""A writing process is killed at random instants; everything that it acknowledged is there."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import apsw
import pytest
from store_writer import FOLD, new, snapshot

from tradebaas.errors import StoreDamaged
from tradebaas.store.backup import Fold, create_backup
from tradebaas.store.head import read_head
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import Head
from tradebaas.store.verify import verify

WRITER = Path(__file__).with_name("store_writer.py")
ROUNDS = 12


def _start(data_dir: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(WRITER), str(data_dir)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)


def _kill_after(writer: subprocess.Popen[bytes], appends: int, seconds: float) -> int:
    """Kill it that long after that many answers; returns the last seq it acknowledged."""
    assert writer.stdout is not None
    answers = b"".join(writer.stdout.readline() for _ in range(appends))
    time.sleep(seconds)
    writer.kill()
    answers += writer.stdout.read()
    writer.stdout.close()
    assert writer.wait() == -9
    return int(answers.rpartition(b"\n")[0].rpartition(b"\n")[2])


def _check(data_dir: Path, acknowledged: int) -> Head:
    """Everything acknowledged is there, unchanged, and at most the append in flight beyond."""
    stated = read_head(Place(data_dir))
    log = Log.open(Place(data_dir), now_ms=0)
    try:
        recovered = log.recover(FOLD)
        tail = list(recovered.tail)
    finally:
        log.abandon()
    found = recovered.snapshot
    at = 0 if found is None else found.seq
    if found is not None:
        assert found.body == snapshot(at).body
    for record in tail:
        at += 1
        assert (record.seq, record.body) == (at, new(at).body)
    assert acknowledged <= at == recovered.head.seq <= acknowledged + 5
    assert stated is not None
    assert acknowledged <= stated.seq <= at
    assert recovered.notes == ()
    return recovered.head


def test_what_was_acknowledged_survives_every_kill(tmp_path: Path) -> None:
    chance = random.Random(20220115)
    head = Head(0, bytes(32))
    for _ in range(ROUNDS):
        writer = _start(tmp_path)
        acknowledged = _kill_after(writer, chance.randrange(1, 120), chance.random() * 0.02)
        assert acknowledged > head.seq
        head = _check(tmp_path, acknowledged)
    result = verify(Place(tmp_path), stated=head)
    assert (result.problem, result.good) == ("", head)


def test_a_lost_acknowledgement_would_be_noticed(tmp_path: Path) -> None:
    """The check above can fail: take the last acknowledged record away, and it does."""
    acknowledged = _kill_after(_start(tmp_path), 20, 0.0)
    connection = apsw.Connection(str(tmp_path / "tradebaas.db"))
    connection.execute("DELETE FROM events WHERE seq >= ?", (acknowledged,))
    connection.close()
    with pytest.raises(StoreDamaged, match="it was cut or corrupted"):
        _check(tmp_path, acknowledged)
    (tmp_path / "head").unlink()
    with pytest.raises((AssertionError, StoreDamaged)):
        _check(tmp_path, acknowledged)


def test_backups_of_a_store_under_load_are_sound(tmp_path: Path) -> None:
    """The writer is never stopped, and each backup is a true beginning of the log."""
    writer = _start(tmp_path)
    assert writer.stdout is not None
    for _ in range(30):
        assert writer.stdout.readline()
    fold = Fold(FOLD + 1, lambda _, records: str(sum(len(r.body) for r in records)).encode())
    seqs = []
    for turn in range(3):
        info = create_backup(Place(tmp_path), now_ms=turn * 1000, fold=fold)
        expected = sum(len(new(n).body) for n in range(1, info.seq + 1))
        assert bytes.fromhex(info.state_digest) == str(expected).encode()
        seqs.append(info.seq)
    assert seqs == sorted(set(seqs))
    assert writer.poll() is None
    _check(tmp_path, _kill_after(writer, 1, 0.0))
