"""A harm that would harm nothing is an error of the harness, not a round that went well."""

import random
from pathlib import Path

import apsw
import pytest

from chaos.real.faults.damage import _flip_snapshot


def stored(data: Path, *bodies: bytes) -> Path:
    """A store's snapshots, and nothing else of it."""
    connection = apsw.Connection(str(data / "tradebaas.db"))
    connection.execute("CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, body BLOB)")
    connection.executemany("INSERT INTO snapshots (body) VALUES (?)", [(body,) for body in bodies])
    connection.close()
    return data


def bodies_of(data: Path) -> list[object]:
    connection = apsw.Connection(str(data / "tradebaas.db"))
    try:
        return [body for (body,) in connection.execute("SELECT body FROM snapshots ORDER BY seq")]
    finally:
        connection.close()


def test_one_bit_of_the_newest_state_is_turned(tmp_path: Path) -> None:
    _flip_snapshot(stored(tmp_path, b"older", b"newest"), random.Random(1))
    older, newest = bodies_of(tmp_path)
    assert older == b"older"
    assert isinstance(newest, bytes)
    assert sum((a ^ b).bit_count() for a, b in zip(newest, b"newest", strict=True)) == 1


def test_without_a_stored_state_nothing_passes_for_harm(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        _flip_snapshot(stored(tmp_path), random.Random(1))
