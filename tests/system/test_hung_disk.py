"""A disk that hangs under the real systemd: whoever waits for it cannot be killed, and when it is
back the daemon trades again without anybody's hands."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.real.fault import Need
from chaos.real.permitted import refusal as refused_need
from chaos.real.volume import Volume
from tests.system.box import Box, booted, refusal
from tests.system.conftest import CONFIG, PROGRAM, new_box
from tests.system.test_service import DAEMON, DATA, recovered, says, start

WAITS = f"waits for the store: {DATA}/lock is held by process"
SOON = "[Service]\nWatchdogSec=3s\nTimeoutStopSec=2s\n"
"""systemd kills what hangs three times, each so long after the other."""


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    reason = refusal() or refused_need(Need.VOLUME)
    if reason:
        pytest.skip(f"no disk can be frozen under a system here: {reason}")
    made = Volume(tmp_path, "ext4", 512)
    yield made
    made.end()


def test_a_daemon_on_a_disk_that_hangs_comes_back_with_it(tmp_path: Path, volume: Volume) -> None:
    box = new_box(tmp_path / "box", binds={DATA: volume.root})
    box.put(f"/etc/systemd/system/{DAEMON}.d/soon.conf", SOON)
    with booted(box):
        start(box)
        volume.freeze()
        _is_killed_in_vain_and_started_again(box)
        volume.thaw()
        _, (_, words) = recovered(box, 2)
        assert "killed" in words
        assert box.show(DAEMON, "ActiveState") == "active"
        assert box.show(DAEMON, "NRestarts") == "1", "a start was refused, which counts as failed"


def _is_killed_in_vain_and_started_again(box: Box) -> None:
    """And the new process waits where the old one does, and says so."""
    box.until(DAEMON, "NRestarts", "1", within=60)
    assert "remains running after unit stopped" in box.journal(DAEMON)
    box.until(DAEMON, "ActiveState", "activating")
    says(box, WAITS)
    assert box.show(DAEMON, "StatusText").startswith(WAITS)


SECOND = "/srv/second"
CHAOS = f"""\
[Service]
ReadWritePaths={SECOND}
ExecStart=
ExecStart={PROGRAM} run --chaos --config /etc/tradebaas/tradebaas.toml --data {DATA}
"""
KILL = f'curl -s -X POST -H "Authorization: Bearer $(cat {DATA}/token)" \
127.0.0.1:3000/chaos/kill/metrics'


def test_a_mount_of_the_backups_that_hangs_keeps_no_crew_from_ending(
    tmp_path: Path, volume: Volume
) -> None:
    """The child that copies there cannot be killed; those who wait for it must not be either."""
    config = f'{CONFIG}\n[backups]\ninterval_seconds = 2\nsecond = "{SECOND}"\n'
    volume.root.chmod(0o777)
    box = new_box(tmp_path / "box", config, {SECOND: volume.root})
    box.put(f"/etc/systemd/system/{DAEMON}.d/chaos.conf", CHAOS)
    with booted(box):
        start(box)
        says(box, "HTTP on")
        volume.freeze()
        _copies(box)
        box.run("sh", "-ec", KILL)
        _, (_, words) = recovered(box, 2)
        assert "metrics Killed" in words
        _copies(box)
        assert box.show(DAEMON, "NRestarts") == "0"
        with box.start("systemctl", "stop", DAEMON) as stop:
            says(box, "life 2 ended as asked", within=10)
            volume.thaw()
            assert stop.wait(20) == 0
        assert box.show(DAEMON, "ExecMainStatus") == "0"


def _copies(box: Box) -> None:
    """Wait until a child waits for the mount."""
    deadline = time.monotonic() + 30
    listing = "ps -eo stat,args | grep '^D.*backup cop[y]' || true"
    while not box.run("sh", "-c", listing):
        assert time.monotonic() < deadline, box.tell(DAEMON)
        time.sleep(0.2)
