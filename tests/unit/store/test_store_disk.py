"""The real disk: what the store relies on and no other test of it would notice."""

import os
from pathlib import Path

import pytest

from tradebaas.store.disk import SYSTEM_DISK


def test_a_write_that_the_system_cuts_short_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.pwrite

    def short(descriptor: int, data: bytes, offset: int) -> int:
        return whole(descriptor, data[:3], offset)

    file = SYSTEM_DISK.open(tmp_path / "a", "fresh")
    monkeypatch.setattr(os, "pwrite", short)
    file.pwrite(b"ten bytes!", 5)
    file.close()
    assert SYSTEM_DISK.read(tmp_path / "a") == bytes(5) + b"ten bytes!"


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    first = SYSTEM_DISK.open(tmp_path / "a", "create")
    second = SYSTEM_DISK.open(tmp_path / "a", "create")
    first.lock()
    with pytest.raises(BlockingIOError):
        second.lock()
    first.close()
    second.lock()
    second.close()


def test_opening_does_what_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for access in ("read", "write"):
        with pytest.raises(FileNotFoundError):
            SYSTEM_DISK.open(path, access)
    file = SYSTEM_DISK.open(path, "create", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    file.pwrite(b"x", 0)
    file.close()
    SYSTEM_DISK.open(path, "create").close()
    assert SYSTEM_DISK.size(path) == 1
    SYSTEM_DISK.open(path, "fresh").close()
    assert SYSTEM_DISK.size(path) == 0


def test_names_are_sorted_and_a_missing_directory_has_none(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert SYSTEM_DISK.names(tmp_path) == ["a", "b", "c"]
    assert SYSTEM_DISK.names(tmp_path / "missing") == []
