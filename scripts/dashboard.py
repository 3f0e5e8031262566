"""Writes deploy/grafana/tradebaas.json, a dashboard for Grafana, from the table below:
``python scripts/dashboard.py``. A test holds every panel to a metric that exists.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
BOARD = ROOT / "deploy" / "grafana" / "tradebaas.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
WHICH = '{job="tradebaas",instance=~"$instance"}'
"""Which samples a panel shows; stands in the table as W."""
WIDTH = 24


class Panel(NamedTuple):
    """A panel: its kind, how wide it is, its unit, and expressions by what they are called.

    ``bad`` is from where on a value is worth a look (red); below it if ``low``.
    """

    title: str
    kind: str
    width: int
    unit: str
    queries: dict[str, str]
    bad: float | None = None
    low: bool = False


def _stat(title: str, query: str, unit: str = "none", bad: float | None = None,
          low: bool = False) -> Panel:  # fmt: skip
    return Panel(title, "stat", 4, unit, {title: query}, bad, low)


def _lines(title: str, unit: str, queries: dict[str, str], bad: float | None = None) -> Panel:
    return Panel(title, "timeseries", 8, unit, queries, bad)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        _stat("Healthy", "tradebaas_healthy W", "bool_yes_no", 1, True),
        _stat("Connected", "tradebaas_broker_connected W", "bool_yes_no", 1, True),
        _stat("May open", "tradebaas_permit W", "bool_yes_no"),
        _stat("Halted", "tradebaas_halted W", "bool_yes_no", 1),
        _stat("Protect-only", "tradebaas_protect_only W", "bool_yes_no", 1),
        _stat("Positions", "tradebaas_positions_open W"),
        _stat("Without a stop", "tradebaas_naked_amount W", "none", 0.000001),
        _stat("Unknown orders", "tradebaas_unknown_orders W", "none", 1),
        _stat("Not ours", "tradebaas_foreign W", "none", 1),
        _stat("Last reconcile", "tradebaas_reconcile_age_seconds W", "s", 120),
        _stat("Last backup", "tradebaas_backup_age_seconds W", "s", 10800),
        _stat("Up for", "tradebaas_uptime_seconds W", "s"),
    ),
    "Trades": (
        _lines("Net result since the store began", "none",
               {"{{currency}}": "tradebaas_trades_net W"}),
        _lines("Fees and funding", "none",
               {"fees, {{currency}}": "tradebaas_trades_fees W",
                "funding, {{currency}}": "tradebaas_trades_funding W"}),
        _lines("Trades in an hour", "none", {"all": "increase(tradebaas_trades_total W[1h])"}),
        _lines("Won and lost", "none",
               {"won": "tradebaas_trades_success W", "lost": "tradebaas_trades_failed W"}),
        _lines("Orders in an hour, by what became of them", "none",
               {"{{outcome}}": "increase(tradebaas_orders_total W[1h])"}),
        _lines("Intended and not proven yet", "none", {"orders": "tradebaas_orders_unproven W"}),
    ),
    "Protection": (
        _lines("Without a full stop, times in an hour", "none",
               {"all": "increase(tradebaas_naked_seconds_count W[1h])"}),
        _lines("Without a full stop, 95 % are shorter than", "s",
               {"95 %": "histogram_quantile(0.95, "
                        "sum by (le) (increase(tradebaas_naked_seconds_bucket W[1h])))"}),
        _lines("Without a full stop, the longest ever", "s",
               {"longest": "tradebaas_naked_seconds_max W"}, 2),
        _lines("Stops placed anew", "none",
               {"in an hour": "increase(tradebaas_stops_replaced_total W[1h])"}),
        _lines("Checks of /health that fail", "none", {"{{check}}": "tradebaas_check_ok W == 0"}),
        _lines("Amount without a stop, and further positions without one", "none",
               {"amount": "tradebaas_naked_amount W",
                "further positions": "tradebaas_naked_elsewhere W"}),
    ),
    "Crashes and recovery": (
        _lines("Crashes", "none", {"in an hour": "increase(tradebaas_crashes_total W[1h])"}, 3),
        _lines("Deaths of the crew in this process", "none",
               {"deaths": "tradebaas_crew_deaths_total W"}),
        _lines("The last recovery took", "s",
               {"seconds": "tradebaas_last_recovery_time_seconds W"}),
        _lines("Connections opened again", "none",
               {"in an hour": "increase(tradebaas_reconnects_total W[1h])"}),
        _lines("Frames not understood", "none",
               {"in an hour": "increase(tradebaas_frames_refused_total W[1h])"}),
        _lines("Notices", "none",
               {"sent": "increase(tradebaas_notices_sent_total W[1h])",
                "lost": "increase(tradebaas_notices_lost_total W[1h])",
                "held back": "increase(tradebaas_notices_held_total W[1h])",
                "waiting": "tradebaas_notices_waiting W"}),
    ),
    "Machine": (
        _lines("The last commit took", "s", {"seconds": "tradebaas_last_commit_seconds W"}, 0.25),
        _lines("Commits", "ops", {"a second": "rate(tradebaas_commits_total W[5m])"}),
        _lines("The persister answers within", "s", {"ping": "tradebaas_persister_ping_seconds W"}),
        _lines("Memory", "bytes", {"resident": "tradebaas_memory_usage_bytes W"}),
        _lines("Processor", "percent", {"of one core": "tradebaas_cpu_usage_percent W"}),
        _lines("Free space", "bytes", {"free": "tradebaas_disk_free_bytes W"}),
        _lines("Ahead of the exchange's clock", "s", {"seconds": "tradebaas_clock_skew_seconds W"}),
        _lines("Age of the newest backup, its copy, and the last drill", "s",
               {"backup": "tradebaas_backup_age_seconds W",
                "copy": "tradebaas_second_backup_age_seconds W",
                "drill": "tradebaas_drill_age_seconds W"}),
        _lines("Age of the last audit", "s", {"audit": "tradebaas_audit_age_seconds W"}, 3600),
        _lines("Differences found by the audit", "none",
               {"rows": "tradebaas_audit_differences W"}, 1),
    ),
}  # fmt: skip


def board() -> str:
    """The dashboard as Grafana imports it."""
    return json.dumps(
        {
            "title": "TradeBaas",
            "uid": "tradebaas",
            "description": "One daemon: what it holds, whether it is protected, what went wrong.",
            "tags": ["tradebaas"],
            "schemaVersion": 39,
            "editable": True,
            "refresh": "15s",
            "time": {"from": "now-6h", "to": "now"},
            "timezone": "utc",
            "templating": {"list": [*_variables()]},
            "annotations": {"list": []},
            "panels": [*_panels()],
        },
        indent=1,
    ) + "\n"  # fmt: skip


def _variables() -> Iterator[dict[str, object]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    query = 'label_values(tradebaas_info{job="tradebaas"}, instance)'
    yield {
        "name": "instance", "label": "Daemon", "type": "query", "datasource": SOURCE,
        "query": {"query": query, "refId": "instance"}, "refresh": 2, "includeAll": False,
    }  # fmt: skip


def _panels() -> Iterator[dict[str, object]]:
    number, top = 1, 0
    for title, panels in ROWS.items():
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}}  # fmt: skip
        number, top, left = number + 1, top + 1, 0
        for panel in panels:
            height = 4 if panel.kind == "stat" else 7
            if left + panel.width > WIDTH:
                left, top = 0, top + height
            place = {"x": left, "y": top, "w": panel.width, "h": height}
            yield _panel(number, panel, place)
            number, left = number + 1, left + panel.width
        top += height


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"color": "green", "value": None}]
    if panel.bad is not None:
        worse, better = ("green", "red") if panel.low else ("red", "green")
        steps = [{"color": better, "value": None}, {"color": worse, "value": panel.bad}]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": SOURCE, "legendFormat": legend,
             "expr": query.replace(" W", WHICH)}
            for n, (legend, query) in enumerate(panel.queries.items())
        ],
    }  # fmt: skip


if __name__ == "__main__":
    BOARD.write_text(board(), encoding="utf-8")
