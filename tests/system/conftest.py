"""A booted system with the program in it, where an install would have put it."""

import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.box import Box, booted, refusal

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
PROGRAM = "/opt/tradebaas/current/venv/bin/tradebaas"
START = """#!/bin/sh
# Stands for the installed program: the same code and packages, seen from inside the box.
export PYTHONPATH=/opt/test/src:/opt/test/packages LD_LIBRARY_PATH=/opt/test/python/lib
exec /opt/test/python/bin/python{version} -m tradebaas "$@"
"""
CONFIG = """\
[exchange]
url = "ws://127.0.0.1:8022/ws/api/v2"

[risk]
risk_percent = "0.25"
max_entries_per_day = 1000

[strategy]
autostart = true
parameters = {fast = 3, slow = 8, atr_length = 5, stop_atr = "10", reward = "3"}
"""
PLAY = """\
[Service]
ExecStart=
ExecStart={program} exchange --data /var/lib/tradebaas-exchange --port 8022 --idle-exit 0 --speed 60
"""


def new_box(home: Path, config: str = CONFIG, binds: Mapping[str, Path] | None = None) -> Box:
    """A system with the units, a configuration and a user, not booted yet."""
    binds = dict(binds or {}) | {
        "/opt/test/python": Path(sys.base_prefix),
        "/opt/test/packages": Path(sysconfig.get_paths()["purelib"]),
        "/opt/test/src": ROOT / "src",
    }
    box = Box(home, binds)
    for unit in UNITS.iterdir():
        box.put(f"/etc/systemd/system/{unit.name}", unit.read_text(encoding="utf-8"))
    version = ".".join(map(str, sys.version_info[:2]))
    box.put(PROGRAM, START.format(version=version), 0o755)
    box.put("/etc/sysusers.d/tradebaas.conf", 'u tradebaas - "TradeBaas" /var/lib/tradebaas\n')
    box.put("/etc/tradebaas/tradebaas.toml", config)
    box.put("/etc/tradebaas/client-secret", "paper-secret\n", 0o600)
    fast = "/etc/systemd/system/tradebaas-exchange.service.d/fast.conf"
    box.put(fast, PLAY.format(program=PROGRAM))
    return box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    reason = refusal()
    if reason:
        pytest.skip(f"no system can be booted here: {reason}")
    with booted(new_box(tmp_path / "box")) as box:
        yield box
