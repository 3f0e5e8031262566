"""What the kernel sees: each acknowledged append is preceded by a sync of the log that covers it.

A kill keeps the page cache and so proves nothing about power cuts. Here strace writes down the
writer's system calls, and the order of write, sync and answer is read from them.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

WRITER = Path(__file__).with_name("store_writer.py")
APPENDS = 60
CALLS = "openat,open,write,pwrite64,pwritev,writev,fdatasync,fsync,close,rename"
_LINE = re.compile(r"^\d+ +(\w+)\((\d+)(?:<([^>]*)>)?")


def _trace(data_dir: Path, log_file: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writer = [sys.executable, str(WRITER), str(data_dir), str(APPENDS)]
    strace = ["strace", "-f", "-y", "-e", f"trace={CALLS}", "-o", str(log_file)]
    subprocess.run([*strace, *writer], check=True, env=environment, stdout=subprocess.PIPE)
    return log_file.read_text().splitlines()


def _events(lines: list[str]) -> str:
    """w: a write to the log, s: a sync of it, h: a write of the head, a: an answer."""
    events = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        call, descriptor, path = match.groups()
        if path is not None and path.endswith("tradebaas.db-wal"):
            events.append({"fdatasync": "s", "fsync": "s", "pwrite64": "w"}.get(call, ""))
        elif path is not None and path.endswith("/head") and call == "pwrite64":
            events.append("h")
        elif call == "write" and descriptor == "1":
            events.append("a")
    return "".join(events)


def _answers_too_early(events: str) -> int:
    """How many answers came without a write to the log or before its sync."""
    return sum("w" not in step or step.rindex("w") > step.rfind("s") for step in _steps(events))


def _steps(events: str) -> list[str]:
    """What happened before each answer, since the one before it."""
    return events.split("a")[:-1]


def test_every_answer_comes_after_the_sync_that_covers_it(tmp_path: Path) -> None:
    events = _events(_trace(tmp_path / "data", tmp_path / "trace"))
    assert len(_steps(events)) == APPENDS
    assert _answers_too_early(events) == 0
    assert all(re.search("shs?$", step) for step in _steps(events))  # the last s: a checkpoint


def test_a_missing_sync_would_be_noticed(tmp_path: Path) -> None:
    steps = _steps(_events(_trace(tmp_path / "data", tmp_path / "trace")))
    for n in range(1, APPENDS):
        changed = [*steps[:n], steps[n].replace("s", ""), *steps[n + 1 :], ""]
        assert _answers_too_early("a".join(changed)) == 1
