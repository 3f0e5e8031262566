"""What root types, on a directory of a user who cannot log in, is done as that user."""

from tests.system.box import Box
from tests.system.conftest import PROGRAM
from tests.system.test_service import DAEMON, DATA, in_position, recovered, says, start

SERVICE = ("--config", "/etc/tradebaas/tradebaas.toml", "--data", DATA)


def typed(box: Box, *words: str) -> str:
    """Run the program as root on the service's directory."""
    return box.run("env", "-C", DATA, PROGRAM, *words, *SERVICE)


def foreign(box: Box) -> str:
    """What in the directory is not the service's own, or may be read by others."""
    return box.run("find", DATA, "!", "-user", "tradebaas", "-o", "!", "-group", "tradebaas")


def test_roots_halt_without_http_closes_the_position_and_the_daemon_lives(box: Box) -> None:
    start(box)
    in_position(box)
    says(box, "HTTP on")
    pid = box.show(DAEMON, "MainPID")
    box.run("rm", f"{DATA}/address")
    assert "the daemon has stored the halt" in typed(box, "halt", "the owner says so")
    says(box, "trade 1 closed")
    assert box.show(DAEMON, "MainPID") == pid
    assert foreign(box) == ""


def test_a_halt_file_that_cannot_be_read_is_a_halt(box: Box) -> None:
    start(box)
    pid = box.show(DAEMON, "MainPID")
    box.run("sh", "-c", f"umask 077; echo mine > {DATA}/HALT")
    says(box, "HALT cannot be read")
    assert box.show(DAEMON, "MainPID") == pid
    assert "resumed" in typed(box, "resume")
    assert foreign(box) == ""


def test_what_root_does_to_a_stopped_service_leaves_it_startable(box: Box) -> None:
    start(box)
    typed(box, "backup", "create")
    box.run("systemctl", "stop", DAEMON)
    typed(box, "state", DATA)
    typed(box, "log")
    typed(box, "backup", "verify")
    (name,) = [
        line
        for line in box.run("ls", f"{DATA}/backups").splitlines()
        if line.startswith("tradebaas-") and line.endswith(".db")
    ]
    said = typed(box, "backup", "restore", name)
    assert "`systemctl start tradebaas`" in said
    typed(box, "halt", "--file-only", "not yet")
    assert foreign(box) == ""
    box.run("systemctl", "start", DAEMON)
    recovered(box, 2)
    box.run("runuser", "-u", "tradebaas", "--", PROGRAM, "backup", "create", *SERVICE)


def test_an_owner_who_cannot_get_there_is_said_and_nothing_is_made(box: Box) -> None:
    box.run("systemctl", "start", "tradebaas-exchange.service")
    home = "/var/lib/private/tradebaas-exchange"
    before = box.run("find", home, "-printf", "%p %u %m\\n")
    box.run("systemctl", "stop", "tradebaas-exchange.service")
    with box.start(PROGRAM, "exchange", "--data", "/var/lib/tradebaas-exchange") as done:
        _, error = done.communicate()
    assert done.returncode == 78
    assert "cannot get there from outside its unit" in error
    names = {line.split()[0] for line in before.splitlines()}
    assert set(box.run("find", home).splitlines()) <= names
