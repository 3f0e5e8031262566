"""A campaign that is ended from outside comes to its verdict, or ends at once when told twice.

It leaves nothing behind either way: no process, no mount.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.real.ending import TOLD
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


@contextmanager
def campaign(home: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A campaign on its way, in a process group of its own."""
    command = [sys.executable, "-m", "chaos", "real", "--keep", str(home), *options]
    with subprocess.Popen(
        command, cwd=ROOT, env={**environment(), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def left(home: Path) -> list[str]:
    """What a campaign has left behind."""
    mounted = str(home) in Path("/proc/mounts").read_text("utf-8")
    return using(home) + (["a mount"] if mounted else [])


def test_the_first_signal_lets_it_come_to_its_verdict(tmp_path: Path) -> None:
    """As Ctrl-C gives it, to all processes of the group."""
    home, files = tmp_path / "c", {name: tmp_path / name for name in ("json", "html", "junit")}
    options = [word for name, file in files.items() for word in (f"--{name}", str(file))]
    with campaign(home, "--profile", "sigkill", "--rounds", "1000", *options) as process:
        assert process.stdout is not None
        rounds = [process.stdout.readline() for _ in range(2)]
        os.killpg(process.pid, signal.SIGINT)
        rest, told = process.communicate(timeout=LIMIT_S)
    lines = b"".join([*rounds, rest]).decode().splitlines()
    played = sum("sigkill" in line and line.endswith(" ok") for line in lines)
    words = f"ended early by SIGINT after {played} of 1000 rounds"
    assert process.returncode == 128 + signal.SIGINT
    assert told == TOLD
    assert f"FAILED: {words}" in lines
    document = json.loads(files["json"].read_bytes())
    assert document["passed"] is False
    assert document["failures"] == [words]
    assert document["run"]["ended"] == words
    assert document["run"]["trials"] == played >= 2
    assert all(document["tally"]["checked"].values())
    assert document["tally"]["rare"] == {}
    assert words in files["html"].read_text("utf-8")
    assert words in files["junit"].read_text("utf-8")
    assert left(home) == []


def test_a_second_signal_ends_it_at_once_and_takes_everything_down(tmp_path: Path) -> None:
    home = tmp_path / "c"
    profile = "disk-full" if not refusal(Need.EXT4) else "sigkill"
    with campaign(home, "--profile", profile) as process:
        until = time.monotonic() + LIMIT_S
        while len(using(home)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(using(home)) >= 2, "the campaign did not start"
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline() == TOLD
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert said == b"", "a verdict was told"
    assert left(home) == []
