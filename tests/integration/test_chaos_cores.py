"""A batch on all cores that is ended from outside ends at once, says so, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.cores import TOLD
from chaos.real.processes import ROOT, environment

LIMIT_S = 60.0


def members(group: int) -> list[int]:
    """The processes of a group that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, _, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(pgrp) == group and state != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["sim", "--seeds", "500"], ["enumerate"], ["mutants"]])
def test_a_signal_to_the_group_ends_a_batch_at_once(
    command: list[str], number: signal.Signals
) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "chaos", *command], cwd=ROOT, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    with started as process:
        until = time.monotonic() + LIMIT_S
        while len(members(process.pid)) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(members(process.pid)) >= 3, "no worker was started"
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=5.0)
    assert process.returncode == 128 + number
    assert said == TOLD
    until = time.monotonic() + 2.0
    while members(process.pid) and time.monotonic() < until:
        time.sleep(0.01)  # multiprocessing's resource tracker ends when it sees us gone
    assert members(process.pid) == []
