"""The alert rules: each fires when it should and not before, by promtool; and one of them goes all
the way, from the real daemon through the real Prometheus and Alertmanager to a webhook."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.unit.actors.process import Run, exchange_process, tradebaas

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = FOLDER / "tradebaas.rules.yml"
TOOLS = ("promtool", "prometheus", "prometheus-alertmanager")


def commits(*, within: str) -> dict[str, str]:
    """A hundred commits a minute, all of which take less than half a second."""
    name = "tradebaas_commit_seconds_bucket"
    series = {"0.25": within, "0.5": "0+100x20", "+Inf": "0+100x20"}
    return {f'{name}{{le="{bound}"}}': values for bound, values in series.items()}


CASES: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "Down": ({'up{job="tradebaas"}': "0x10"}, {'up{job="tradebaas"}': "1x10"}, "3m"),
    "Unhealthy": (
        {'tradebaas_check_ok{check="store"}': "0x10"},
        {'tradebaas_check_ok{check="store"}': "1x10", 'tradebaas_check_ok{check="backup"}': "0x10"},
        "3m",
    ),
    "Degraded": ({"tradebaas_healthy": "0x20"}, {"tradebaas_healthy": "0x5 1x20"}, "15m"),
    "NotConnected": (
        {"tradebaas_broker_connected": "0x10"}, {"tradebaas_broker_connected": "0 1 0 1 0x1"}, "4m",
    ),
    "PositionNaked": (
        {"tradebaas_naked_amount": "0x5", "tradebaas_naked_elsewhere": "1x5"},
        {"tradebaas_naked_amount": "0x5", "tradebaas_naked_elsewhere": "0x5"},
        "2m",
    ),
    "NakedTooLong": (
        {
            "tradebaas_naked_seconds_count": "3x5 4x5",
            'tradebaas_naked_seconds_bucket{le="2.0"}': "3x20",
        },
        {
            "tradebaas_naked_seconds_count": "3x5 4x5",
            'tradebaas_naked_seconds_bucket{le="2.0"}': "3x5 4x5",
        },
        "8m",
    ),
    "OrderUnknown": (
        {"tradebaas_unknown_orders": "1x10"}, {"tradebaas_unknown_orders": "1 0 1 0 1 0 1"}, "6m",
    ),
    "ReconcileOld": (
        {"tradebaas_reconcile_age_seconds": "300x10"},
        {"tradebaas_reconcile_age_seconds": "30x10"},
        "3m",
    ),
    "Halted": ({"tradebaas_halted": "1x5"}, {"tradebaas_halted": "0x5"}, "2m"),
    "ProtectOnly": ({"tradebaas_protect_only": "1x10"}, {"tradebaas_protect_only": "1 0x10"}, "5m"),
    "Restarts": (
        {"tradebaas_crashes_total": "0+1x30"}, {"tradebaas_crashes_total": "0x10 1x20"}, "30m",
    ),
    "BackupOld": (
        {"tradebaas_backup_age_seconds": "11000x5"},
        {"tradebaas_backup_age_seconds": "3600x5"},
        "2m",
    ),
    "NoBackup": (
        {"tradebaas_uptime_seconds": "20000x5", "tradebaas_backup_age_seconds": "NaN NaN NaN NaN"},
        {"tradebaas_uptime_seconds": "20000x5", "tradebaas_backup_age_seconds": "60x5"},
        "2m",
    ),
    "SecondBackupOld": (
        {"tradebaas_second_backup_age_seconds": "11000x5"},
        {"tradebaas_second_backup_age_seconds": "NaN 3600x5"},
        "2m",
    ),
    "DrillOld": (
        {"tradebaas_uptime_seconds": "900000x5", "tradebaas_drill_age_seconds": "NaN NaN NaN NaN"},
        {"tradebaas_uptime_seconds": "900000x5", "tradebaas_drill_age_seconds": "600000x5"},
        "2m",
    ),
    "AuditDiffers": (
        {"tradebaas_audit_differences": "0 2x5"}, {"tradebaas_audit_differences": "NaN 0x5"}, "3m",
    ),
    "AuditOld": (
        {"tradebaas_audit_age_seconds": "4000x5"},
        {"tradebaas_audit_age_seconds": "NaN 300x5"},
        "2m",
    ),
    "DiskLow": (
        {"tradebaas_disk_free_bytes": "100000000x10"},
        {"tradebaas_disk_free_bytes": "9000000000x10"},
        "8m",
    ),
    "CommitSlow": (
        commits(within="0+5x20"),
        commits(within="0+99x20"),
        "12m",
    ),
    "NoticesLost": (
        {"tradebaas_notices_lost_total": "0x5 1x5"}, {"tradebaas_notices_lost_total": "3x10"}, "8m",
    ),
}  # fmt: skip
"""By alert: series, a sample a minute, with which it fires; others with which it does not; when."""


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)} (apt install prometheus)")


def alerts() -> set[str]:
    return set(re.findall(r"alert: TradeBaas(\w+)", RULES.read_text(encoding="utf-8")))


def test_every_rule_has_its_case() -> None:
    assert set(CASES) == alerts()


def fires(name: str, series: dict[str, str], at: str, folder: Path) -> bool:
    """Whether an alert fires, by promtool: it fails when told that none does."""
    lines = [f"rule_files: [{RULES}]", "tests:", "  - interval: 1m", "    input_series:"]
    for metric, values in series.items():
        labels = metric if "{" in metric else f"{metric}{{}}"
        named = labels.replace("{", '{instance="i",', 1)
        named = named if 'job="' in named else named.replace("{", '{job="tradebaas",', 1)
        lines += [f"      - series: '{named}'", f"        values: '{values}'"]
    lines += ["    alert_rule_test:", f"      - eval_time: {at}",
              f"        alertname: TradeBaas{name}", "        exp_alerts: []"]  # fmt: skip
    file = folder / "test.yml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0 or "alertname: TradeBaas" in done.stdout + done.stderr, done
    return done.returncode != 0


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_alert_fires_when_it_should_and_not_before(name: str, tmp_path: Path) -> None:
    needs("promtool")
    firing, quiet, at = CASES[name]
    assert fires(name, firing, at, tmp_path)
    assert not fires(name, quiet, at, tmp_path)


def test_the_managed_position_without_a_stop_fires_alone(tmp_path: Path) -> None:
    needs("promtool")
    series = {"tradebaas_naked_amount": "100x5", "tradebaas_naked_elsewhere": "0x5"}
    assert fires("PositionNaked", series, "2m", tmp_path)


def test_the_configurations_are_right() -> None:
    needs(*TOOLS)
    checks = [
        ["promtool", "check", "config", str(FOLDER / "prometheus.yml")],
        ["promtool", "check", "rules", str(RULES)],
    ]
    if shutil.which("amtool"):
        checks.append(["amtool", "check-config", str(FOLDER / "alertmanager.yml")])
    for check in checks:
        done = subprocess.run(check, capture_output=True, text=True)
        assert done.returncode == 0, done


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def webhook() -> Iterator[tuple[int, list[str]]]:
    """A receiver of alerts, and the names of those that it was told of."""
    told: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.extend(alert["labels"]["alertname"] for alert in json.loads(body)["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, told
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def check_metrics(url: str) -> None:
    """What promtool thinks of the names and types."""
    with urllib.request.urlopen(url) as page:
        text = page.read()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_an_alert_goes_from_the_daemon_to_a_webhook(tmp_path: Path) -> None:
    """The configurations as they are shipped, but for addresses and the interval of a scrape."""
    needs(*TOOLS)
    ports = {"3000": free_port(), "9193": free_port()}
    own = str(free_port())
    with exchange_process(tmp_path / "exchange") as url, webhook() as (hook, told):
        ports["8099"] = hook
        for name in ("prometheus.yml", "alertmanager.yml", RULES.name):
            text = (FOLDER / name).read_text(encoding="utf-8")
            for port, other in ports.items():
                text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{other}")
            text = text.replace("_interval: 15s", "_interval: 1s").replace(
                "group_wait: 5s", "group_wait: 0s"
            )
            (tmp_path / name).write_text(text, encoding="utf-8")
        run = Run(tmp_path, url, port=ports["3000"])
        run.start()
        try:
            run.poll(lambda: "HTTP on" in run.words(), "HTTP")
            with (
                running("prometheus-alertmanager", f"--config.file={tmp_path / 'alertmanager.yml'}",
                        f"--storage.path={tmp_path / 'am'}", "--cluster.listen-address=",
                        f"--web.listen-address=127.0.0.1:{ports['9193']}",
                        log=tmp_path / "alertmanager.log"),
                running("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                        f"--web.listen-address=127.0.0.1:{own}",
                        "--rules.alert.resend-delay=1s",  # one that was lost is told again soon
                        log=tmp_path / "prometheus.log"),
            ):  # fmt: skip
                check_metrics(f"http://127.0.0.1:{ports['3000']}/metrics")
                time.sleep(3)
                assert "TradeBaasHalted" not in told
                halted = tradebaas("halt", "drill", "--data", str(run.data), cwd=tmp_path)
                assert halted.returncode == 0, halted
                deadline = time.monotonic() + 40
                while "TradeBaasHalted" not in told:
                    assert time.monotonic() < deadline, (tmp_path / "prometheus.log").read_text()
                    time.sleep(0.1)
        finally:
            run.end()
