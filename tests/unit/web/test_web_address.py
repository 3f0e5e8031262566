"""``data/address``: there while HTTP serves, whatever the disk says at first."""

import json
import os
from pathlib import Path

import trio
from trio.testing import MockClock

from tradebaas.web.address import RETRY_S, keep_address

URL = "http://127.0.0.1:3000"


async def test_it_is_there_until_it_is_cancelled(tmp_path: Path) -> None:
    file = tmp_path / "address"
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL)
        assert json.loads(file.read_bytes()) == {"http": URL, "pid": os.getpid()}
        nursery.cancel_scope.cancel()
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_does_not_take_it_is_asked_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = tmp_path / "data" / "address"
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL)
        assert not file.exists()
        file.parent.mkdir()
        await trio.sleep(RETRY_S + 0.1)
        assert json.loads(file.read_bytes())["http"] == URL
        nursery.cancel_scope.cancel()


async def test_a_disk_that_is_gone_at_the_end_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "data" / "address"
    file.parent.mkdir()
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL)
        file.unlink()
        file.mkdir()  # cannot be unlinked
        nursery.cancel_scope.cancel()
