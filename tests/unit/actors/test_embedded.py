"""Which process is the embedded exchange: the one that holds its lock, and no other."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from tests.unit.stalled import goes_on_beside
from tradebaas import embedded
from tradebaas.config import Config, ExchangeSection
from tradebaas.paper.directory import address, locked
from tradebaas.runtime.ports import system_ports

URL = "ws://127.0.0.1:1/ws/api/v2"
PORTS = system_ports()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = Config(data=str(tmp_path))
    embedded.directory(made).mkdir()
    return made


async def test_a_running_exchange_is_found(config: Config) -> None:
    home, locate = embedded.directory(config), embedded.locate(config, PORTS)
    with locked(home), address(home, URL):
        assert embedded.find(config) == embedded.Address(url=URL, pid=os.getpid())
        assert await locate() == URL
    assert embedded.find(config) is None
    assert await locate() == ""


def test_a_pid_that_now_belongs_to_another_program_is_not_the_exchange(config: Config) -> None:
    """The address file outlives a SIGKILL, and this very process has that pid now."""
    home = embedded.directory(config)
    with locked(home):
        pass
    stale = json.dumps({"url": URL, "pid": os.getpid()})
    (home / "address").write_text(stale, encoding="utf-8")
    assert embedded.find(config) is None
    embedded.stop(config)  # must not end this test


def test_an_address_that_the_holder_did_not_write_is_not_believed(config: Config) -> None:
    home = embedded.directory(config)
    with locked(home):
        stale = json.dumps({"url": URL, "pid": 1})
        (home / "address").write_text(stale, encoding="utf-8")
        assert embedded.find(config) is None


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_an_unreadable_address_is_none(config: Config, text: str) -> None:
    (embedded.directory(config) / "address").write_text(text, encoding="utf-8")
    assert embedded.find(config) is None


@pytest.mark.parametrize(
    "content", [b'{"url": "\xee", "pid": 1}', b'{"url": "x", "pid": "y"}', b"[]"]
)
def test_a_spoilt_address_is_none(config: Config, content: bytes) -> None:
    (embedded.directory(config) / "address").write_bytes(content)
    assert embedded.find(config) is None


def test_without_a_directory_there_is_none(tmp_path: Path) -> None:
    assert embedded.find(Config(data=str(tmp_path / "nothing"))) is None


async def test_an_exchange_that_is_configured_never_moves(tmp_path: Path) -> None:
    config = Config(data=str(tmp_path), exchange=ExchangeSection(url=URL))
    assert await embedded.locate(config, PORTS)() == URL


async def test_a_disk_that_stalls_does_not_stop_the_loop(config: Config) -> None:
    """Neither a connect, which asks where the exchange is, nor who keeps it alive."""
    file = embedded.directory(config) / "address"
    await goes_on_beside(file, embedded.locate(config, PORTS))
    file.unlink()
    await goes_on_beside(file, partial(embedded.keep, config, PORTS))
