"""A campaign that is ended from outside leaves nothing behind: no process, no mount."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.processes import ROOT, environment

LIMIT_S = 40.0


def using(home: Path) -> list[str]:
    """The command lines that name a file of the campaign."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(home) in line and "chaos real" not in line:
                found.append(line)
    return found


def test_sigterm_takes_down_what_was_started_and_mounted(tmp_path: Path) -> None:
    home = tmp_path / "c"
    profile = "disk-full" if not refusal(Need.EXT4) else "sigkill"
    command = [sys.executable, "-m", "chaos", "real", "--profile", profile, "--keep", str(home)]
    campaign = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL)
    until = time.monotonic() + LIMIT_S
    while len(using(home)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(using(home)) >= 2, "the campaign did not start"
    campaign.send_signal(signal.SIGTERM)
    assert campaign.wait(LIMIT_S) == 128 + signal.SIGTERM
    assert using(home) == []
    assert str(home) not in Path("/proc/mounts").read_text("utf-8")
