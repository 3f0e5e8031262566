"""Which process is the embedded exchange: the one that holds its lock, and no other."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.unit.stalled import goes_on_beside
from tradebaas import embedded
from tradebaas.config import Config, ExchangeSection
from tradebaas.errors import Unusable
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


async def ensured(config: Config) -> None:
    async with PORTS.open_blocking("exchange") as worker:
        await embedded.ensure(config, worker)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The exchanges that were started; ended with the test."""
    started: list[subprocess.Popen[bytes]] = []
    spawn = embedded._spawn

    def keep(config: Config) -> subprocess.Popen[bytes]:
        started.append(spawn(config))
        return started[-1]

    monkeypatch.setattr(embedded, "_spawn", keep)
    yield started
    for process in started:
        process.kill()
        process.wait()


async def test_an_exchange_starts_while_somebody_looks_whether_it_lives(
    config: Config, spawned: list[subprocess.Popen[bytes]]
) -> None:
    """A look holds the lock for a moment; a start that met it ended with "in use"."""
    with (embedded.directory(config) / "lock").open("a+b") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ensured, config)
            await trio.sleep(1.0)  # it is up and has met the look by now
            fcntl.flock(look, fcntl.LOCK_UN)
    found = embedded.find(config)
    assert found is not None
    assert [process.pid for process in spawned] == [found.pid]


async def test_a_refused_one_waits_for_the_address_of_who_was_quicker(
    config: Config, spawned: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that start at once: the daemon, and a halt without it."""
    monkeypatch.setattr(embedded, "_command", lambda _: ["false"])
    home = embedded.directory(config)
    with locked(home):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ensured, config)
            while not spawned or spawned[0].poll() is None:  # noqa: ASYNC110 - a process is waited for
                await trio.sleep(0.01)
            await trio.sleep(5 * embedded.POLL_S)  # it has been seen to be refused
            with address(home, URL):
                with trio.fail_after(5):
                    while nursery.child_tasks:  # noqa: ASYNC110 - another's file is waited for
                        await trio.sleep(0.01)


async def test_one_that_cannot_start_is_told_at_once(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_command", lambda _: ["sh", "-c", "echo no luck; exit 75"])
    with trio.fail_after(5), pytest.raises(Unusable, match="no luck"):
        await ensured(config)
