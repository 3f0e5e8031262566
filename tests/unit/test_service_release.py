"""Which releases are forgotten."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tradebaas.service import places, release


def test_a_release_that_a_process_uses_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "current"
    tmp_path = tmp_path / "releases"
    monkeypatch.setattr(places, "RELEASES", tmp_path)
    monkeypatch.setattr(places, "CURRENT", link)
    for number in range(6):
        (tmp_path / str(number)).mkdir(parents=True)
        done = tmp_path / str(number) / release.DONE
        done.touch()
        os.utime(done, (number, number))
    sleep = shutil.which("sleep")
    assert sleep
    shutil.copy(sleep, tmp_path / "0" / "sleep")
    link.symlink_to(tmp_path / "1")
    with subprocess.Popen([tmp_path / "0" / "sleep", "60"]) as process:
        removed = release.forget_old()
        process.kill()
    assert [path.name for path in removed] == ["2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "3", "4", "5"]
