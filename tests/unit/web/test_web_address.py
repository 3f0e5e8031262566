"""``data/address``: there while HTTP serves, whatever the disk says at first."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock

from tests.unit.stalled import goes_on_beside
from tradebaas.runtime.ports import Inline, system_ports
from tradebaas.web.address import RETRY_S, keep_address

URL = "http://127.0.0.1:3000"
PORTS = system_ports()


async def test_it_is_there_until_it_is_cancelled(tmp_path: Path) -> None:
    file = tmp_path / "address"
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL, PORTS)
        assert json.loads(file.read_bytes()) == {"http": URL, "pid": os.getpid()}
        nursery.cancel_scope.cancel()
    assert os.listdir(tmp_path) == []


async def test_a_disk_that_does_not_take_it_is_asked_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    file = tmp_path / "data" / "address"
    inline = replace(PORTS, open_blocking=lambda _: Inline())  # a thread knows no simulated time
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL, inline)
        assert not file.exists()
        file.parent.mkdir()
        await trio.sleep(RETRY_S + 0.1)
        assert json.loads(file.read_bytes())["http"] == URL
        nursery.cancel_scope.cancel()


async def test_a_disk_that_is_gone_at_the_end_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "data" / "address"
    file.parent.mkdir()
    async with trio.open_nursery() as nursery:
        await nursery.start(keep_address, file, URL, PORTS)
        file.unlink()
        file.mkdir()  # cannot be unlinked
        nursery.cancel_scope.cancel()


async def test_a_disk_that_stalls_does_not_stop_the_loop(tmp_path: Path) -> None:
    await goes_on_beside(
        tmp_path / "address.new", partial(keep_address, tmp_path / "address", URL, PORTS)
    )
