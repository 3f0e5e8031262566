"""The real process on a disk that hangs: what trades goes on as long as it needs no disk."""

import fcntl
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.actors.process import Run
from tests.unit.stalled import Stalled


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A daemon on the embedded exchange; everything is gone afterwards."""
    made = Run(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_a_token_that_cannot_be_read_yet_keeps_http_waiting_and_nothing_else(run: Run) -> None:
    run.data.mkdir()
    token = Stalled(run.data / "token", late_s=60)
    try:
        run.start()
        run.covered()
        seen = run.state().seq
        run.until(lambda s: s.seq > seen + 1, "what is committed now and then", within=50)
        assert "HTTP on" not in run.log.read_text()
        assert not token.late
    finally:
        token.let_go(b"a" * 64)
    run.poll(lambda: "HTTP on" in run.log.read_text(), "HTTP")
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0


def test_a_process_that_cannot_die_yet_is_waited_for_and_not_counted_as_a_failed_start(
    run: Run, tmp_path: Path
) -> None:
    """Where a service manager starts it: each refusal would count there until it gives up."""
    run.url = "ws://127.0.0.1:1/"
    run.data.mkdir()
    with (run.data / "lock").open("w") as lock, _manager(tmp_path) as manager:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        _hears(manager, b"STATUS=waits for the store: ", b"is held by another process")
        _hears(manager, b"EXTEND_TIMEOUT_USEC=60000000")
        run.signal(signal.SIGTERM)
        assert run.wait_end() == 0
        run.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        _hears(manager, b"STATUS=waits for the store: ")
        fcntl.flock(lock, fcntl.LOCK_UN)
        _hears(manager, b"READY=1")
        run.signal(signal.SIGTERM)
        assert run.wait_end() == 0


def test_at_a_terminal_a_second_daemon_is_refused_at_once(run: Run) -> None:
    run.data.mkdir()
    with (run.data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run.start()
        assert run.wait_end() == 75
    assert "Only one daemon may use" in run.log.read_text()


@contextmanager
def _manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        yield notify


def _hears(manager: socket.socket, *words: bytes) -> None:
    """Wait until it is told so; what it is told before does not matter."""
    said = b""
    while not all(word in said for word in words):
        said = manager.recv(1000)
