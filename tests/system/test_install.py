"""``service install`` from a checkout, under the real systemd: installed, again, upgraded, gone
back to the release before, removed."""

import json
import re
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import blocks
from tests.system.box import Box, CommandFailed, booted, refusal
from tests.system.conftest import ROOT

DAEMON = "tradebaas.service"
PYTHON = f"/opt/test/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
COMMAND = f"""#!/bin/sh
# The checkout's own command, as it would run from its environment.
export PYTHONPATH=/opt/test/checkout/src:/opt/test/packages LD_LIBRARY_PATH=/opt/test/python/lib
export PYTHONPATH=$PYTHONPATH:/opt/test/other
export PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/test/wheels PIP_NO_CACHE_DIR=1
exec {PYTHON} -m tradebaas "$@"
"""
LIBRARY = "[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/test/python/lib\n"
"""An interpreter that lies elsewhere than it was made for needs this; a system's does not."""

OTHER_CODE = """\
# What the caller's environment leads an interpreter to, and what must not run in a release.
import sys
with open("/var/tmp/ran-in", "a") as file:
    file.write(sys.prefix + "\\n")
"""
FOREIGN = "#!/bin/sh\necho somebody else's\n"
LIMIT = "[Unit]\nStartLimitBurst=3\n"
"""So that a daemon which does not start is given up sooner."""
MIGRATES = r"""
cd /opt/test/checkout
sed -i 's/^SCHEMA_VERSION = 2/SCHEMA_VERSION = 3/; s/2: _TABLES_2}/2: _TABLES_2, 3: _TABLES_2}/' \
    src/tradebaas/store/schema.py
sed -i 's/{1: _to_2}/{1: _to_2, 2: lambda *_: None}/' src/tradebaas/store/migrations.py
sed -i 's/notifier.ready()/os.system("sh dying"); os._exit(3)/' src/tradebaas/attendance.py
sed -i 's/WatchdogSec=15s/WatchdogSec=16s/' deploy/systemd/tradebaas.service
cp deploy/systemd/tradebaas-verify.timer deploy/systemd/tradebaas-more.timer
"""
"""A release that takes the store to a schema of its own, dies before it is ready, and brings other
units."""
MENDED = r"""
cd /opt/test/checkout
rm -r deploy
cp -a /opt/test/original/deploy .
for file in store/schema.py store/migrations.py attendance.py; do
    cp /opt/test/original/src/tradebaas/$file src/tradebaas/$file
done
"""
OWN = r"""
cd /etc/tradebaas/strategies
mkdir own-1.dist-info
printf 'Name: own\nVersion: 1\n' >own-1.dist-info/METADATA
printf '[tradebaas.strategies]\nown = own:Own\n' >own-1.dist-info/entry_points.txt
printf 'from tradebaas.strategies.ma_cross import MovingAverageCross\n' >own.py
printf 'class Own(MovingAverageCross):\n    name = "own"\n' >>own.py
"""
"""A strategy as a package of its own, as `pip install --target` lays it."""
SAME_PACKAGE = "cp /opt/test/original/requirements-run.lock /opt/test/checkout"
OTHER_PACKAGE = f"""
sed -i 's/sha256:[0-9a-f]*/sha256:{"0" * 64}/' /opt/test/checkout/requirements-run.lock
"""
"""A package that is not the one of the lock, as it looks from there."""
WRAPPER = "/usr/local/bin/tradebaas"
PLAYED_IN = "LD_LIBRARY_PATH=/opt/test/python/lib PATH=/usr/local/bin:$PATH"
OTHER_URL = "ws://127.0.0.1:8033/ws/api/v2"
DATA = "/var/lib/tradebaas"
REAL = f"""\
[exchange]
environment = "testnet"
client_id = "owner"
url = "{OTHER_URL}"

[risk]
risk_percent = "0.25"
max_entries_per_day = 1000

[strategy]
autostart = true
parameters = {{fast = 3, slow = 8, atr_length = 5, stop_atr = "10", reward = "3"}}
"""
"""Where real money would be at stake, on a market that moves fast."""
FILES = f"""
cd /root
printf %s {shlex.quote(REAL)} >my.toml
printf '[exchange]\\nurl = "ws://127.0.0.1:8022/ws/api/v2"\\n' >play.toml
{{ cat play.toml; printf '[strategy]\\nparameters = {{fast = 30, slow = 8}}\\n'; }} >wrong.toml
echo real-secret >my-secret
echo wrong >wrong-secret
"""

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
    box.put("/opt/test/other/sitecustomize.py", OTHER_CODE)
    box.put("/var/tmp/ran-in", "", 0o666)
    box.put("/usr/local/bin/tradebaas", FOREIGN, 0o755)
    box.put(f"/etc/systemd/system/{DAEMON}.d/limit.conf", LIMIT)
    for unit in (
        DAEMON,
        "tradebaas@.service",
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


def service(box: Box, *words: str) -> str:
    return box.run("/opt/test/tradebaas", "service", *words)


def current(box: Box) -> str:
    return box.run("readlink", "/opt/tradebaas/current")


def test_an_installation_from_nothing_to_nothing(box: Box) -> None:
    """One box, since an environment takes the longest: each step stands on the ones before."""
    _refuses(box)
    _is_installed(box)
    _is_restarted_by_hand(box)
    _is_upgraded_with_its_instance(box)
    _is_commanded_as_the_page_says(box)
    _is_refused_before_anything_changes(box)
    _goes_back_over_a_migration(box)
    _moves_to_another_exchange(box)
    _says_that_a_key_is_refused(box)
    _does_not_leave_an_open_position(box)
    _is_removed(box)
    assert "/opt/tradebaas" not in box.run("cat", "/var/tmp/ran-in"), "it ran code of the caller"


def _is_installed(box: Box) -> None:
    said = install(box)
    print("\n" + said)
    assert box.run("systemctl", "is-active", DAEMON) == "active"
    assert box.run("stat", "-c", "%a %U", "/etc/tradebaas/client-secret") == "600 root"
    assert box.run("stat", "-c", "%a %U", "/var/lib/tradebaas") == "700 tradebaas"
    assert "HTTP on" in box.journal(DAEMON) or ask(box, "state")
    assert "\nexchange       logged in" in said
    assert box.run("cat", WRAPPER) == FOREIGN.strip(), "a command of that name was not ours"
    box.run("rm", WRAPPER)
    assert WRAPPER in install(box)
    library = "LD_LIBRARY_PATH=/opt/test/python/lib"
    assert "flat" in box.run("env", library, WRAPPER, "state")
    _plays(box, "journalctl ")
    pid = box.show(DAEMON, "MainPID")
    again = install(box)  # what is done is left alone
    assert "is kept as it is" in again
    assert box.show(DAEMON, "MainPID") == pid


def _plays(box: Box, *begins: str) -> None:
    """The commands of the page that begin so."""
    for block in blocks.blocks((ROOT / "docs" / "deployment.md").read_text(), "sh"):
        for command in blocks.commands(block):
            if command.startswith(begins):
                followed = command.replace("log --follow", "log --follow & sleep 1; kill $!")
                box.run("sh", "-ec", f"export {PLAYED_IN}; {followed}")


def _is_commanded_as_the_page_says(box: Box) -> None:
    _plays(box, "tradebaas ", "TRADEBAAS=")
    assert "the owner says so" in box.run("cat", "/var/lib/tradebaas/HALT")
    assert "resumed" in ask(box, "resume")


def _is_restarted_by_hand(box: Box) -> None:
    """systemd counts restarts by hand, and refuses one too many; ours are not counted."""
    for _ in range(4):
        box.run("systemctl", "restart", DAEMON, check=False)
    assert box.show(DAEMON, "Result") == "start-limit-hit"
    with pytest.raises(CommandFailed, match=r"(?s)exited 3.*failed"):
        service(box, "status")
    for _ in range(4):
        service(box, "restart")
    _tells_what_a_start_waits_for(box)
    assert DAEMON in service(box, "status")


def _tells_what_a_start_waits_for(box: Box) -> None:
    """Somebody else has the store, or, as well, a process that a disk keeps from dying."""
    box.run("systemctl", "stop", DAEMON)
    box.run("systemd-run", "--unit=other", "flock", f"{DATA}/lock", "sleep", "4")
    said = service(box, "restart")
    assert f"starting       {DAEMON}: waits for the store: {DATA}/lock is held by" in said
    assert "logged in" in said


def _is_upgraded_with_its_instance(box: Box) -> None:
    box.run("sh", "-c", "cd /etc/tradebaas && cp client-secret one.secret && "
            "{ cat tradebaas.toml; printf '[http]\\nport = 3001\\n'; } >one.toml")  # fmt: skip
    box.run("systemctl", "enable", "--now", "tradebaas@one", "tradebaas-verify@one.timer")
    box.run("systemctl", "enable", "tradebaas@two")
    box.run("sh", "-c", "cd /etc/tradebaas && cp one.toml two.toml && cp one.secret two.secret && "
            "install -d -o tradebaas -m 700 /var/lib/tradebaas-two && "
            "echo spoilt >/var/lib/tradebaas-two/tradebaas.db")  # fmt: skip
    box.run("sh", "-ec", OWN)
    ask(box, "start", "own")
    first, pids = current(box), _pids(box)
    box.run("sh", "-c", "echo '# newer' >> /opt/test/checkout/src/tradebaas/names.py")
    upgraded = install(box)
    print("\n" + upgraded)
    assert current(box) != first
    assert upgraded.count("made and verified") == 2
    assert "backup         none of /var/lib/tradebaas-two, which cannot be read" in upgraded
    assert "made before: upgrade" in ask(box, "backup", "list")
    assert not _pids(box) & (pids | {"0"})
    assert json.loads(ask(box, "state", "--json"))["armed"]
    assert "tradebaas@one.service" in service(box, "status")


def _pids(box: Box) -> set[str]:
    return {box.show(unit, "MainPID") for unit in (DAEMON, "tradebaas@one.service")}


def _is_refused_before_anything_changes(box: Box) -> None:
    second, pids = current(box), _pids(box)
    box.run("sh", "-ec", MIGRATES)
    box.run("sh", "-ec", OTHER_PACKAGE)
    with pytest.raises(CommandFailed, match=r"(?i)do not match the hashes"):
        install(box)
    box.run("sh", "-ec", SAME_PACKAGE)
    box.run("mv", "/etc/tradebaas/strategies/own.py", "/root")
    with pytest.raises(CommandFailed, match=r"not start tradebaas\.service: it trades with own: "):
        install(box)
    box.run("mv", "/root/own.py", "/etc/tradebaas/strategies")
    box.run("sh", "-ec", FILES)
    with pytest.raises(CommandFailed, match=r"wrong\.toml, line 4: .* must be below slow"):
        install(box, "--config", "/root/wrong.toml")
    with pytest.raises(CommandFailed, match="do one after the other"):
        install(box, "--config", "/root/my.toml", "--secret-file", "/root/my-secret")
    assert current(box) == second
    assert _pids(box) == pids


def _goes_back_over_a_migration(box: Box) -> None:
    second, other = current(box), box.show("tradebaas@one.service", "MainPID")
    box.run("systemctl", "stop", DAEMON)  # a backup is made all the same
    box.run("sh", "-c", f"echo 'mkdir aside; mv backups/*.json aside' >{DATA}/dying")
    with pytest.raises(CommandFailed, match="does not stay up") as failure:
        install(box)
    print("\n" + str(failure.value))
    said = str(failure.value)
    by_hand = re.search(r"(?s)backup was not put back: .*by hand: `(runuser [^`]*)`", said)
    assert by_hand
    box.run("sh", "-ec", f"cd {DATA}; rm dying; mv aside/* backups")
    box.run("sh", "-ec", f"export LD_LIBRARY_PATH=/opt/test/python/lib; {by_hand[1]}")
    service(box, "restart")
    _is_back_and_halted(box, second)
    ask(box, "resume")
    with pytest.raises(CommandFailed, match="does not stay up") as failure:
        install(box)
    print("\n" + str(failure.value))
    assert "was put back. It runs and is halted" in str(failure.value)
    _is_back_and_halted(box, second)
    assert box.show(DAEMON, "WatchdogUSec") == "15s"
    assert box.run("sh", "-c", "ls /etc/systemd/system | grep more || true") == ""
    assert box.show("tradebaas@one.service", "MainPID") == other
    box.run("sh", "-ec", MENDED)


def _is_back_and_halted(box: Box, release: str) -> None:
    assert current(box) == release
    assert box.run("systemctl", "is-active", DAEMON) == "active"
    assert "restored from" in box.run("cat", f"{DATA}/HALT")


def _moves_to_another_exchange(box: Box) -> None:
    """The page's steps from play money to Deribit, for which another exchange stands."""
    old = _account(box, "")
    box.run("systemd-run", "--unit=deribit", "-E", "LD_LIBRARY_PATH=/opt/test/python/lib",
            "/opt/tradebaas/current/venv/bin/tradebaas", "exchange", "--data", "/var/tmp/deribit",
            "--port", "8033", "--idle-exit", "0", "--speed", "60", "--account",
            "owner:real-secret:1:100000", "--account", "other:real-secret:1:100000")  # fmt: skip
    said = install(box, "--config", "/root/my.toml", "--secret-file", "/root/my-secret")
    print("\n" + said)
    assert "it is kept in /var/lib/tradebaas.before-" in said
    assert "of testnet" in _account(box, old) or "8033" in _account(box, old)
    assert box.run("systemctl", "is-active", DAEMON) == "active"
    assert box.run("stat", "-c", "%a %U", "/var/lib/tradebaas/HALT") == "600 tradebaas"
    pid = box.show(DAEMON, "MainPID")
    box.run("sh", "-c", "printf '[log]\\nlevel = \"debug\"\\n' >>/root/my.toml")
    assert "tradebaas.before" not in install(box, "--config", "/root/my.toml")
    assert box.show(DAEMON, "MainPID") not in ("0", pid)  # what is given is taken


def _says_that_a_key_is_refused(box: Box) -> None:
    refused = "runs, but the exchange refuses it: .*13004.*check client_id and secret"
    with pytest.raises(CommandFailed, match=refused):
        install(box, "--secret-file", "/root/wrong-secret")
    with pytest.raises(CommandFailed, match=refused):
        service(box, "restart")
    assert "logged in" in install(box, "--secret-file", "/root/my-secret")
    other = 's/"owner"/"other"/'  # another account, on the same exchange
    box.run("sed", "-i.kept", other, "/etc/tradebaas/tradebaas.toml")
    with pytest.raises(CommandFailed, match=r"(?s)does not stay up.*belongs to account"):
        service(box, "restart")
    box.run("mv", "/etc/tradebaas/tradebaas.toml.kept", "/etc/tradebaas/tradebaas.toml")
    assert "logged in" in service(box, "restart")


def _does_not_leave_an_open_position(box: Box) -> None:
    """Coming from play money it may; this account stands for a real one."""
    ask(box, "resume")
    deadline = time.monotonic() + 90
    while not box.show(DAEMON, "StatusText").startswith("POSITION_OPEN"):
        assert time.monotonic() < deadline, box.tell(DAEMON)
        time.sleep(0.1)
    pid = box.show(DAEMON, "MainPID")
    with pytest.raises(CommandFailed, match=r"is in POSITION_OPEN on the account .*stop --close"):
        install(box, "--config", "/root/play.toml")
    assert box.show(DAEMON, "MainPID") == pid


def _account(box: Box, other_than: str) -> str:
    """The account that the store belongs to, as soon as it is another one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        account = str(json.loads(ask(box, "state", "--json"))["account"])
        if account not in ("", other_than):
            return account
        time.sleep(0.2)
    raise AssertionError(f"it did not log in elsewhere:\n{box.tell(DAEMON)}")


def _is_removed(box: Box) -> None:
    service(box, "uninstall")
    for unit in (DAEMON, "tradebaas@one.service", "tradebaas-verify@one.timer"):
        assert box.run("systemctl", "is-active", unit, check=False) == "inactive"
    assert box.run("ls", "/var/lib/tradebaas/tradebaas.db")
    assert box.run("ls", f"/etc/systemd/system/{DAEMON}.d")  # what an operator has made stays
    assert box.run("sh", "-c", "ls -d /opt/tradebaas || true") != "/opt/tradebaas"
    with pytest.raises(CommandFailed, match=r"(?s)exited 3.*none is installed"):
        service(box, "status")

    service(box, "uninstall", "--purge", "--yes")
    assert box.run("sh", "-c", "ls /usr/local/bin/tradebaas || true") == ""
    left = "ls -d /var/lib/tradebaas* /var/log/tradebaas* /var/lib/private/tradebaas* "
    left += "/etc/tradebaas /etc/systemd/system/tradebaas* 2>/dev/null || true"
    assert box.run("sh", "-c", left) == ""
    assert box.run("getent", "passwd", "tradebaas", check=False) == ""


def _refuses(box: Box) -> None:
    """What cannot be installed, or removed, is said and changes nothing."""
    with pytest.raises(CommandFailed, match=r"(?s)exited 3.*none is installed"):
        service(box, "status")
    box.run("sh", "-c", "printf '[exchange]\\nenvironment = \"mars\"\\n' > /tmp/bad.toml")
    with pytest.raises(CommandFailed, match="must be one of embedded"):
        install(box, "--config", "/tmp/bad.toml")
    with pytest.raises(CommandFailed, match="nothing is installed"):
        box.run("/opt/test/tradebaas", "service", "uninstall")
    with pytest.raises(CommandFailed, match="only root can install a service"):
        box.run("runuser", "-u", "nobody", "--", "/opt/test/tradebaas", "service", "install")
    assert box.run("getent", "passwd", "tradebaas", check=False) == ""
