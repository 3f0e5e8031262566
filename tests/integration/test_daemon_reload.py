"""SIGHUP to the real process: what it says to its manager, what it takes, and what it refuses."""

import os
import pty
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.actors.process import Run

SILENT = "\n[notices]\nopened = false\n"


class Manager:
    """Hears what a service manager is told."""

    def __init__(self, home: Path) -> None:
        self.address = str(home / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.settimeout(20)

    def hear(self, *wanted: str) -> None:
        """Wait for messages that begin so, in this order; others may come between."""
        for text in wanted:
            while not self._socket.recv(4096).decode().startswith(text):
                pass

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.close()


def says(run: Run, text: str) -> None:
    run.poll(lambda: text in run.words(), text)


def test_it_takes_what_it_may_and_names_what_it_may_not(run: Run, manager: Manager) -> None:
    run.start(NOTIFY_SOCKET=manager.address)
    manager.hear("READY=1")
    run.more, run.deaths = SILENT, 7
    run.configure()
    run.signal(signal.SIGHUP)
    manager.hear("RELOADING=1\nMONOTONIC_USEC=", "READY=1")
    says(run, "taken: [notices]; changed as well, but only a restart takes it: [supervisor]")
    run.covered()  # it is the same process, and trades
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0


def test_a_configuration_that_is_wrong_changes_nothing(run: Run, manager: Manager) -> None:
    run.start(NOTIFY_SOCKET=manager.address)
    manager.hear("READY=1")
    run.more = "\n[notices]\nopend = false\n"
    path = run.configure()
    run.signal(signal.SIGHUP)
    manager.hear("RELOADING=1", "READY=1")
    says(run, "the new configuration is refused, the old one stays: ")
    says(run, "unknown key 'notices.opend'; did you mean 'opened'?")
    path.unlink()
    run.signal(signal.SIGHUP)
    manager.hear("RELOADING=1", "READY=1")
    says(run, f"cannot read {path}")


def test_a_terminal_that_hangs_up_ends_it(run: Run) -> None:
    near, far = pty.openpty()
    try:
        run.start(stdin=far)
        says(run, "recovered life 1")
        run.signal(signal.SIGHUP)
        assert run.wait_end() == 0
    finally:
        os.close(near)
        os.close(far)
