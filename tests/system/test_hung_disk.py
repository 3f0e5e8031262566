"""A disk that hangs under the real systemd: whoever waits for it cannot be killed, and when it is
back the daemon trades again without anybody's hands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.real.fault import Need
from chaos.real.permitted import refusal as refused_need
from chaos.real.volume import Volume
from tests.system.box import Box, booted, refusal
from tests.system.conftest import new_box
from tests.system.test_service import DAEMON, DATA, recovered, start

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
    until_says(box, "not ready: the store is migrated or replayed, or its disk hangs")


def until_says(box: Box, text: str) -> None:
    box.until(DAEMON, "StatusText", text)
    assert text in box.journal(DAEMON)
