"""sd_notify against a real datagram socket, and the watchdog's environment."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradebaas.errors import ConfigError
from tradebaas.runtime.ports import send_datagram
from tradebaas.runtime.systemd import Notifier, watchdog_interval


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The receiving end, bound to the abstract name of the test's own directory."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + str(tmp_path))
        receiver.settimeout(5)
        yield receiver


def test_every_message_arrives_as_systemd_expects_it(
    systemd: socket.socket, tmp_path: Path
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "@" + str(tmp_path)}, send_datagram)
    sent = [
        (notifier.ready, (), b"READY=1"),
        (notifier.stopping, (), b"STOPPING=1"),
        (notifier.watchdog, (), b"WATCHDOG=1"),
        (notifier.status, ("life 2, long BTC-PERPETUAL",), b"STATUS=life 2, long BTC-PERPETUAL"),
        (notifier.reloading, (1.5,), b"RELOADING=1\nMONOTONIC_USEC=1500000"),
        (notifier.extend_timeout, (2.5,), b"EXTEND_TIMEOUT_USEC=2500000"),
    ]
    for method, args, expected in sent:
        assert method(*args) is True  # type: ignore[operator]
        assert systemd.recv(1000) == expected


def test_a_status_cannot_smuggle_in_another_field(systemd: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "@" + str(tmp_path)}, send_datagram)
    notifier.status("waiting\nSTOPPING=1")
    assert systemd.recv(1000) == b"STATUS=waiting STOPPING=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_systemd_nothing_is_sent(environ: dict[str, str]) -> None:
    def never(_address: str, _payload: bytes) -> None:
        pytest.fail("sent although nobody asked for it")

    assert Notifier(environ, never).ready() is False


def test_a_message_that_is_not_taken_is_told_to_the_caller(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}, send_datagram)
    assert notifier.watchdog() is False


def test_watchdog_interval_is_for_the_process_that_it_names() -> None:
    pid = os.getpid()
    assert watchdog_interval({}, pid) is None
    assert watchdog_interval({"WATCHDOG_USEC": "2500000"}, pid) == 2.5
    assert watchdog_interval({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(pid)}, pid) == 2.5
    assert (
        watchdog_interval({"WATCHDOG_USEC": "2500000", "WATCHDOG_PID": str(pid + 1)}, pid) is None
    )


@pytest.mark.parametrize("usec", ["", "0", "-5", "soon", "1.5"])
def test_a_wrong_watchdog_interval_names_the_variable(usec: str) -> None:
    with pytest.raises(ConfigError, match=r"WATCHDOG_USEC.*WatchdogSec="):
        watchdog_interval({"WATCHDOG_USEC": usec}, 1)
