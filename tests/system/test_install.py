"""``service install`` from a checkout, under the real systemd: installed, again, upgraded, gone
back to the release before, removed."""

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.box import Box, CommandFailed, booted, refusal
from tests.system.conftest import ROOT

DAEMON = "tradebaas.service"
PYTHON = f"/opt/test/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
COMMAND = f"""#!/bin/sh
# The checkout's own command, as it would run from its environment.
export PYTHONPATH=/opt/test/checkout/src:/opt/test/packages LD_LIBRARY_PATH=/opt/test/python/lib
export PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/test/wheels PIP_NO_CACHE_DIR=1
exec {PYTHON} -m tradebaas "$@"
"""
LIBRARY = "[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/test/python/lib\n"
"""An interpreter that lies elsewhere than it was made for needs this; a system's does not."""

pytestmark = pytest.mark.timeout(600)  # three environments are made, of a whole lock each


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lock names, as files: the box has no network."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary",
         ":all:", "--disable-pip-version-check", "-d", folder,
         "-r", ROOT / "requirements-run.lock"],
        check=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def box(tmp_path: Path, wheels: Path) -> Iterator[Box]:
    reason = refusal()
    if reason:
        pytest.skip(f"no system can be booted here: {reason}")
    home = tmp_path / "box"
    binds = {
        "/opt/test/python": Path(sys.base_prefix),
        "/opt/test/packages": Path(sysconfig.get_paths()["purelib"]),
        "/opt/test/wheels": wheels,
        "/opt/test/original": ROOT,
    }
    box = Box(home, binds)
    box.put("/opt/test/tradebaas", COMMAND, 0o755)
    for unit in (
        DAEMON,
        "tradebaas-exchange.service",
        "tradebaas-verify.service",
        "tradebaas-drill.service",
    ):
        box.put(f"/etc/systemd/system/{unit}.d/library.conf", LIBRARY)
    with booted(box):
        box.run("sh", "-c", "mkdir /opt/test/checkout && cd /opt/test/original && cp -a src docs "
                "deploy pyproject.toml README.md LICENSE CHANGELOG.md requirements-run.lock "
                "/opt/test/checkout")  # fmt: skip
        yield box


def install(box: Box, *more: str) -> str:
    return box.run("/opt/test/tradebaas", "service", "install", *more)


def ask(box: Box, *words: str) -> str:
    """Something of the installed program, as its own user."""
    program = "/opt/tradebaas/current/venv/bin/tradebaas"
    environment = ("env", "LD_LIBRARY_PATH=/opt/test/python/lib")
    where = ("--config", "/etc/tradebaas/tradebaas.toml", "--data", "/var/lib/tradebaas")
    return box.run("runuser", "-u", "tradebaas", "--", *environment, program, *words, *where)


def test_an_installation_from_nothing_to_nothing(box: Box) -> None:
    _refuses(box)
    said = install(box)
    print("\n" + said)
    assert box.run("systemctl", "is-active", DAEMON) == "active"
    assert box.run("stat", "-c", "%a %U", "/etc/tradebaas/client-secret") == "600 root"
    assert box.run("stat", "-c", "%a %U", "/var/lib/tradebaas") == "700 tradebaas"
    assert "HTTP on" in box.journal(DAEMON) or ask(box, "state")
    first, pid = box.run("readlink", "/opt/tradebaas/current"), box.show(DAEMON, "MainPID")

    again = install(box)  # what is done is left alone
    assert "is kept as it is" in again
    assert box.show(DAEMON, "MainPID") == pid

    box.run("sh", "-c", "echo '# newer' >> /opt/test/checkout/src/tradebaas/names.py")
    upgraded = install(box)
    print("\n" + upgraded)
    second = box.run("readlink", "/opt/tradebaas/current")
    assert second != first
    assert "made and verified" in upgraded
    assert "made before: upgrade" in ask(box, "backup", "list")
    assert box.show(DAEMON, "MainPID") not in ("0", pid)

    box.run("sh", "-c", "echo 'raise SystemExit(3)' >> /opt/test/checkout/src/tradebaas/daemon.py")
    with pytest.raises(CommandFailed, match=r"did not become ready, so .* is back and runs again"):
        install(box)
    assert box.run("readlink", "/opt/tradebaas/current") == second
    assert box.run("systemctl", "is-active", DAEMON) == "active"

    print("\n" + box.run("/opt/test/tradebaas", "service", "status"))
    box.run("/opt/test/tradebaas", "service", "uninstall")
    assert box.run("systemctl", "is-active", DAEMON, check=False) == "inactive"
    assert box.run("ls", "/var/lib/tradebaas/tradebaas.db")
    assert box.run("sh", "-c", "ls -d /opt/tradebaas || true") != "/opt/tradebaas"

    box.run("/opt/test/tradebaas", "service", "uninstall", "--purge", "--yes")
    assert box.run("sh", "-c", "ls -d /var/lib/tradebaas /etc/tradebaas 2>/dev/null || true") == ""
    assert box.run("getent", "passwd", "tradebaas", check=False) == ""


def _refuses(box: Box) -> None:
    """What cannot be installed, or removed, is said and changes nothing."""
    box.run("sh", "-c", "printf '[exchange]\\nenvironment = \"mars\"\\n' > /tmp/bad.toml")
    with pytest.raises(CommandFailed, match="must be one of embedded"):
        install(box, "--config", "/tmp/bad.toml")
    with pytest.raises(CommandFailed, match="nothing is installed"):
        box.run("/opt/test/tradebaas", "service", "uninstall")
    with pytest.raises(CommandFailed, match="only root can install a service"):
        box.run("runuser", "-u", "nobody", "--", "/opt/test/tradebaas", "service", "install")
    assert box.run("getent", "passwd", "tradebaas", check=False) == ""
