"""The units under the real systemd: whatever the daemon dies of, it trades again; what only a
person can mend leaves it down."""

import json
import re
import shlex
import signal
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.docs import blocks
from tests.system.box import Box, booted, refusal
from tests.system.conftest import PROGRAM, ROOT, UNITS, new_box
from tradebaas.config import SupervisorSection

DAEMON, EXCHANGE = "tradebaas.service", "tradebaas-exchange.service"
DATA = "/var/lib/tradebaas"
SECONDS = {"s": 1, "min": 60, "h": 3600, "ms": 0.001}
RECOVERED = re.compile(r"recovered life (\d+) \((.+), in ([A-Z_]+)\)")


FAILED = f"tradebaas-failed@{DAEMON}.service"
SECRET = "hunter2-and-more"
RECEIVED = "/tmp/received"
PYTHON = f"/opt/test/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
LIBRARY = "LD_LIBRARY_PATH=/opt/test/python/lib"
RECEIVER = f"""\
from http.server import BaseHTTPRequestHandler, HTTPServer

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open({RECEIVED!r}, "ab") as file:
            file.write(body + b"\\n")
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", 8030), Receiver).serve_forever()
"""


def start(box: Box) -> None:
    box.run("systemctl", "start", EXCHANGE)
    box.run("systemctl", "start", DAEMON)
    recovered(box, 1)


def recovered(box: Box, count: int, within: float = 30.0) -> list[tuple[float, str]]:
    """When (Unix seconds) and how each start has recovered so far, once there are so many."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        lines = box.run("journalctl", "-u", DAEMON, "-o", "json", "--no-pager").splitlines()
        entries = [json.loads(line) for line in lines]
        told = [
            (int(entry["__REALTIME_TIMESTAMP"]) / 1e6, found[0])
            for entry in entries
            if (found := RECOVERED.search(str(entry.get("MESSAGE", ""))))
        ]
        if len(told) >= count:
            return told
        time.sleep(0.1)
    raise AssertionError(f"{count} recoveries were not seen:\n{box.tell(DAEMON)}")


def in_position(box: Box) -> None:
    """Wait until it says that a position is open."""
    deadline = time.monotonic() + 90
    while not box.show(DAEMON, "StatusText").startswith("POSITION_OPEN"):
        assert time.monotonic() < deadline, box.tell(DAEMON)
        time.sleep(0.1)


def test_it_is_ready_when_it_has_recovered_and_says_how_it_is(box: Box) -> None:
    start(box)
    assert box.show(DAEMON, "SubState") == "running"
    assert box.show(DAEMON, "WatchdogUSec") == "15s"
    deadline = time.monotonic() + 20
    while "ma_cross" not in box.show(DAEMON, "StatusText"):
        assert time.monotonic() < deadline, box.show(DAEMON, "StatusText")
        time.sleep(0.1)
    assert box.run("systemctl", "is-active", DAEMON) == "active"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_killed_daemon_trades_again_by_itself(box: Box, number: signal.Signals) -> None:
    start(box)
    began = time.time()
    box.kill(DAEMON, number)
    (_, first), (again, second) = recovered(box, 2)
    print(f"\n{number.name}: {again - began:.2f} s from the signal to trading again ({second})")
    assert "clean start" in first
    assert "life 2" in second
    assert box.show(DAEMON, "NRestarts") == "1"
    box.until(DAEMON, "SubState", "running")


def test_a_frozen_daemon_is_killed_by_the_watchdog_and_started_again(tmp_path: Path) -> None:
    box = new_box(tmp_path / "box")
    box.put(f"/etc/systemd/system/{DAEMON}.d/soon.conf", "[Service]\nWatchdogSec=3s\n")
    with _booted(box):
        start(box)
        began = time.time()
        box.kill(DAEMON, signal.SIGSTOP)
        _, (again, _) = recovered(box, 2)
        print(f"\nSIGSTOP, WatchdogSec=3: {again - began:.2f} s to recovered")
        assert "Watchdog timeout" in box.journal(DAEMON)
        assert again - began >= 1.5


def test_the_watchdog_leaves_a_healthy_daemon_alone(tmp_path: Path) -> None:
    box = new_box(tmp_path / "box")
    box.put(f"/etc/systemd/system/{DAEMON}.d/soon.conf", "[Service]\nWatchdogSec=2s\n")
    with _booted(box):
        start(box)
        pid = box.show(DAEMON, "MainPID")
        box.run("systemctl", "stop", EXCHANGE)  # a bad market is no reason to kill the protector
        time.sleep(7)
        assert box.show(DAEMON, "MainPID") == pid
        assert box.show(DAEMON, "NRestarts") == "0"


def test_a_configuration_that_only_a_person_can_mend_is_not_started_again(tmp_path: Path) -> None:
    box = new_box(tmp_path / "box", config='[exchange]\nenvironment = "mars"\n')
    with _booted(box):
        box.run("systemctl", "start", DAEMON, check=False)
        box.until(DAEMON, "ActiveState", "failed")
        assert box.show(DAEMON, "ExecMainStatus") == "78"
        assert box.show(DAEMON, "NRestarts") == "0"
        assert "must be one of embedded, mainnet, testnet" in box.journal(DAEMON)


def test_a_crash_that_does_not_go_away_trips_the_start_limit(tmp_path: Path) -> None:
    box = new_box(tmp_path / "box")
    box.put(f"/etc/systemd/system/{DAEMON}.d/crash.conf", CRASHES)
    with _booted(box):
        box.run("systemctl", "start", DAEMON, check=False)
        box.until(DAEMON, "ActiveState", "failed", within=40)
        assert "Start request repeated too quickly" in box.journal(DAEMON)
        assert box.show(DAEMON, "NRestarts") == str(_limit()[0])


CRASHES = """\
[Service]
Type=simple
ExecStart=
ExecStart=/bin/sh -c 'exit 70'
"""


def test_the_start_limit_can_trip_within_the_budget_of_the_crew() -> None:
    """A process that loses its crew again and again ends within the budget's period: so many such
    processes must fit into the interval, or the limit would never be reached."""
    burst, interval = _limit()
    assert burst * SupervisorSection().period_seconds < interval


def _limit() -> tuple[int, float]:
    text = (UNITS / DAEMON).read_text(encoding="utf-8")
    unit = text.partition("[Service]")[0]
    burst = re.search(r"^StartLimitBurst=(\d+)$", unit, re.MULTILINE)
    interval = re.search(r"^StartLimitIntervalSec=(\d+)([a-z]+)$", unit, re.MULTILINE)
    assert burst
    assert interval
    return int(burst[1]), int(interval[1]) * SECONDS[interval[2]]


def told(box: Box, count: int, within: float = 30.0) -> list[dict[str, str]]:
    """The notices that the receiver inside the box was sent, once there are so many."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        got = [json.loads(line) for line in box.run("cat", RECEIVED, check=False).splitlines()]
        if len(got) >= count:
            return got
        time.sleep(0.1)
    raise AssertionError(f"{count} notices did not come, but {got}:\n{box.tell(FAILED)}")


def test_a_unit_that_is_given_up_is_told_of(tmp_path: Path) -> None:
    """The one whose configuration is wrong, and the one that crashes for ever."""
    box = new_box(tmp_path / "box", config='[exchange]\nenvironment = "mars"\n')
    box.put("/etc/tradebaas/notice-urls", f"# mine\njson://me:{SECRET}@127.0.0.1:8030/\n", 0o600)
    box.put("/opt/receiver.py", RECEIVER)
    with _booted(box):
        box.run("systemd-run", "--unit=receiver", "-E", LIBRARY, PYTHON, "/opt/receiver.py")
        box.run("systemctl", "start", DAEMON, check=False)
        (notice,) = told(box, 1)
        assert notice["title"] == f"TradeBaas: {DAEMON} has FAILED"
        assert "exit-code, exit status 78. The configuration is wrong" in notice["message"]
        _tries_the_addresses_as_the_page_says(box)
        box.run("mkdir", "-p", f"/run/systemd/system/{DAEMON}.d")
        crash = f"printf %s {shlex.quote(CRASHES)} >/run/systemd/system/{DAEMON}.d/crash.conf"
        box.run("sh", "-c", crash + " && systemctl daemon-reload")
        box.run("systemctl", "start", DAEMON, check=False)
        *_, notice = told(box, 3, within=60)
        assert "exit status 70. Its crew died again and again" in notice["message"]
        assert SECRET not in box.run("journalctl", "--no-pager", "-o", "verbose")


def _tries_the_addresses_as_the_page_says(box: Box) -> None:
    (block,) = blocks.blocks((ROOT / "docs" / "notices.md").read_text(encoding="utf-8"), "sh")
    said = box.run("sh", "-ec", block)
    assert re.search(r"1 \(json\) +sent", said)
    assert SECRET not in said
    told(box, 2)


def test_where_nobody_is_told_it_starts_all_the_same_and_a_failure_is_no_second_one(
    tmp_path: Path,
) -> None:
    box = new_box(tmp_path / "box", config='[exchange]\nenvironment = "mars"\n')
    with _booted(box):
        box.run("systemctl", "start", DAEMON, check=False)
        box.until(DAEMON, "ActiveState", "failed")
        box.until(FAILED, "Result", "success")
        deadline = time.monotonic() + 20
        while "nobody is told" not in box.journal(FAILED):
            assert time.monotonic() < deadline, box.tell(FAILED)
            time.sleep(0.1)


def test_a_reload_takes_what_may_change_and_refuses_what_is_wrong(box: Box) -> None:
    start(box)
    pid = box.show(DAEMON, "MainPID")
    config = "/etc/tradebaas/tradebaas.toml"
    box.run("sh", "-c", f"printf '\\n[notices]\\nopened = false\\n' >> {config}")
    box.run("systemctl", "reload", DAEMON)
    says(box, "taken: [notices]")
    box.run("sh", "-c", f"echo 'opend = true' >> {config}")
    box.run("systemctl", "reload", DAEMON)
    says(box, "the new configuration is refused, the old one stays")
    box.until(DAEMON, "SubState", "running")
    assert box.show(DAEMON, "MainPID") == pid
    assert box.show(DAEMON, "NRestarts") == "0"


def says(box: Box, text: str, within: float = 20.0) -> None:
    """Wait until the daemon has said so."""
    deadline = time.monotonic() + within
    while text not in box.journal(DAEMON):
        assert time.monotonic() < deadline, box.tell(DAEMON)
        time.sleep(0.1)


def test_the_journal_has_the_fields_of_each_line(box: Box) -> None:
    start(box)
    in_position(box)
    entries = [json.loads(line) for line in box.run(
        "journalctl", "-u", DAEMON, "-o", "json", "--no-pager", "TRADEBAAS_KIND=Filled"
    ).splitlines()]  # fmt: skip
    entry = entries[0]
    assert entry["MESSAGE"].startswith("entry filled: ")
    assert (entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("6", "tradebaas")
    assert entry["TRADEBAAS_ACTOR"] == "persister"
    assert entry["TRADEBAAS_LIFE"] == "1"
    warned = box.run("journalctl", "-u", DAEMON, "-o", "cat", "--no-pager", "-p", "warning")
    assert "entry filled" not in warned


def test_one_id_leads_from_the_signal_to_the_closed_trade_over_a_death(box: Box) -> None:
    """In the journal's field, and in the store; and no secret is in any line."""
    start(box)
    in_position(box)
    box.kill(DAEMON, signal.SIGKILL)
    recovered(box, 2)
    where = ("--config", "/etc/tradebaas/tradebaas.toml", "--data", DATA)
    deadline = time.monotonic() + 30
    while box.show(DAEMON, "StatusText").startswith("POSITION_OPEN"):
        assert time.monotonic() < deadline, box.tell(DAEMON)
        box.run(PROGRAM, "close", *where, check=False)  # HTTP may have to come first
    says(box, "trade 1 closed")
    entries = told_of_events(box)
    detected = next(e for e in entries if e["TRADEBAAS_KIND"] == "SignalDetected")
    begun = detected["TRADEBAAS_SIGNAL"]
    thread = [entry for entry in entries if entry.get("TRADEBAAS_SIGNAL") == begun]
    assert thread[0]["MESSAGE"].startswith("signal to ")
    assert "TradeClosed" in {entry["TRADEBAAS_KIND"] for entry in thread}
    assert {entry["TRADEBAAS_LIFE"] for entry in thread} == {"1", "2"}
    of_orders = [entry for entry in entries if "TRADEBAAS_ORDER" in entry]
    assert not [entry["MESSAGE"] for entry in of_orders if "TRADEBAAS_SIGNAL" not in entry]
    assert {entry["TRADEBAAS_ORDER"][-2:] for entry in thread if "TRADEBAAS_ORDER" in entry} >= {
        "-e", "-c"
    }  # fmt: skip
    stored = box.run(PROGRAM, "log", "--json", "--limit", "0", *where).splitlines()
    events = {event["kind"]: event["event"] for event in reversed([*map(json.loads, stored)])}
    assert events["SignalDetected"]["signal"]["signal_id"] == begun
    assert events["OrderIntended"]["intent"]["signal_id"] == begun
    assert events["TradeClosed"]["trade"]["signal_id"] == begun
    whole = box.run("journalctl", "--no-pager", "-o", "verbose")
    for secret in ("paper-secret", box.run("cat", f"{DATA}/token")):
        assert secret not in whole


def told_of_events(box: Box) -> list[dict[str, str]]:
    """The entries of the journal that tell of events, in their order."""
    listed = box.run("journalctl", "-u", DAEMON, "-o", "json", "--no-pager").splitlines()
    return [entry for line in listed if "TRADEBAAS_KIND" in (entry := json.loads(line))]


def test_it_stops_in_time_with_a_position_open_and_its_stop_stays(box: Box) -> None:
    start(box)
    in_position(box)
    began = time.monotonic()
    box.run("systemctl", "stop", DAEMON)
    took = time.monotonic() - began
    print(f"\nstop with a position open: {took:.2f} s")
    assert box.show(DAEMON, "Result") == "success"
    assert box.show(DAEMON, "ExecMainStatus") == "0"
    assert took < 5
    box.run("systemctl", "start", DAEMON)
    _, (_, words) = recovered(box, 2)
    assert "clean start" in words


def test_nobody_else_can_read_the_secret(box: Box) -> None:
    start(box)
    pid = box.show(DAEMON, "MainPID")
    for path in (
        "/etc/tradebaas/client-secret",
        f"/run/credentials/{DAEMON}/client-secret",
        f"/proc/{pid}/environ",
        f"{DATA}/tradebaas.db",
        f"{DATA}/token",
    ):
        refused = box.run("runuser", "-u", "nobody", "--", "cat", path, check=False)
        assert refused == "", path
    assert "paper-secret" not in box.run("cat", f"/proc/{pid}/environ").replace("\0", "\n")
    assert "paper-secret" not in box.run("cat", f"/proc/{pid}/cmdline").replace("\0", "\n")


def test_after_a_reboot_the_exchange_comes_first_and_the_daemon_goes_on(tmp_path: Path) -> None:
    box = new_box(tmp_path / "box")
    with _booted(box):
        start(box)
        for unit in (EXCHANGE, DAEMON):
            box.run("systemctl", "enable", unit)
        box.stop()
        box.boot()
        box.run("systemctl", "start", "multi-user.target")
        _, (_, words) = recovered(box, 2)
        assert "life 2 (killed" in words
        began = [
            int(box.show(unit, "ActiveEnterTimestampMonotonic")) for unit in (EXCHANGE, DAEMON)
        ]
        assert began == sorted(began)


def test_each_unit_is_right_and_confined(box: Box) -> None:
    for path in sorted(UNITS.iterdir()):
        name = path.name.replace("@", "@one")
        done = box.start("systemd-analyze", "verify", name)
        assert done.communicate() == ("", ""), name
        if path.suffix == ".service":
            words = box.run("systemd-analyze", "security", "--no-pager", "--threshold=15", name)
            print("\n" + words.splitlines()[-1])


@pytest.mark.parametrize("name", ["tradebaas", "tradebaas-audit", "tradebaas-verify",
                                  "tradebaas-drill"])  # fmt: skip
def test_the_unit_of_an_instance_differs_by_its_name_alone(name: str) -> None:
    """Each line of the template is that of the plain unit, with the instance in its places."""
    plain = (UNITS / f"{name}.service").read_text(encoding="utf-8").splitlines()
    template = (UNITS / f"{name}@.service").read_text(encoding="utf-8").splitlines()
    plain, template = (lines[lines.index("[Unit]") :] for lines in (plain, template))
    assert [line for line in template if "%i" not in line] == [
        line for line, other in zip(plain, template, strict=True) if "%i" not in other
    ]
    named = {line.partition("=")[0] for line in template if "%i" in line}
    assert named <= {"Description", "After", "ExecStart", "StateDirectory", "LogsDirectory",
                     "WorkingDirectory", "ReadWritePaths", "LoadCredential"}  # fmt: skip
    assert not [line for line in template if "/var/lib/tradebaas" in line and "%i" not in line]


def test_two_instances_run_beside_each_other(box: Box) -> None:
    box.run("systemctl", "start", EXCHANGE)
    for name, port in (("one", 3001), ("two", 3002)):
        box.run("sh", "-c", f"sed '$a [http]\\nport = {port}' /etc/tradebaas/tradebaas.toml "
                f"> /etc/tradebaas/{name}.toml; cp /etc/tradebaas/client-secret "
                f"/etc/tradebaas/{name}.secret")  # fmt: skip
        box.run("systemctl", "start", f"tradebaas@{name}.service")
    for name in ("one", "two"):
        assert box.show(f"tradebaas@{name}.service", "SubState") == "running"
        assert box.run("stat", "-c", "%a %U", f"/var/lib/tradebaas-{name}") == "700 tradebaas"


def test_the_timers_units_do_their_work(box: Box) -> None:
    box.run("sh", "-c", "cp /etc/tradebaas/client-secret /etc/tradebaas/audit-secret")
    start(box)
    words = ("backup", "create", "--config", "/etc/tradebaas/tradebaas.toml", "--data", DATA)
    box.run("runuser", "-u", "tradebaas", "--", PROGRAM, *words)
    for unit, said in (
        ("tradebaas-verify", "is sound"),
        ("tradebaas-drill", "can be restored and traded on"),
        ("tradebaas-audit", "the account holds what the daemon"),
    ):
        box.run("systemctl", "start", f"{unit}.service")
        assert box.show(f"{unit}.service", "Result") == "success"
        assert said in box.journal(f"{unit}.service")
        box.run("systemctl", "start", f"{unit}.timer")
        assert box.show(f"{unit}.timer", "ActiveState") == "active"
    assert box.run("stat", "-c", "%U", f"{DATA}/audit/found.json") == "tradebaas"
    box.run("systemctl", "stop", "tradebaas.service", EXCHANGE)
    box.run("systemctl", "start", "tradebaas-audit.service")
    assert box.show("tradebaas-audit.service", "ExecMainStatus") == "3"
    assert box.show("tradebaas-audit.service", "Result") == "success", "nobody could be asked"


def _booted(box: Box) -> AbstractContextManager[Box]:
    reason = refusal()
    if reason:
        pytest.skip(f"no system can be booted here: {reason}")
    return booted(box)
