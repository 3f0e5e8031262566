"""Where a run was made is found out on this very machine, and nothing fails without it."""

import os
import sys
from pathlib import Path

import pytest

from chaos.report import machine


def test_the_machine_is_this_one() -> None:
    found = machine.describe()
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.cores == len(os.sched_getaffinity(0))
    assert os.uname().release in found.os


def test_without_git_or_cpuinfo_it_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert machine.commit() == ""
    assert machine.describe().cores >= 1
