"""Draws docs/monitoring.md from the tables of metrics and the alert rules:
``python scripts/monitoring.py``. A test compares the page with what this script makes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tradebaas.web.metrics import BY_LABEL, COUNTERS, GAUGES, HISTOGRAMS, PREFIX, RESTARTS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "monitoring.md"
RULES = ROOT / "deploy" / "prometheus" / "tradebaas.rules.yml"

HEAD = """\
# Monitoring

<!-- Made by scripts/monitoring.py from web/metrics.py and the alert rules; do not edit by hand. -->

The daemon answers on `/metrics` in Prometheus' text format, on the address of `[http]`. Totals are
folded from the log, so they survive restarts; a value that is not known yet is NaN, and a counter
that is not known has no sample.

`deploy/prometheus` has a configuration for Prometheus, the alert rules, and a configuration for
Alertmanager that hands every alert to a webhook; an installed daemon has them under
`/opt/tradebaas/current/deploy/prometheus`. They start as they are, on one machine, to try them:

```sh
apt-get install -y --no-install-recommends prometheus prometheus-alertmanager
cd deploy/prometheus
prometheus-alertmanager --config.file=alertmanager.yml --storage.path=/tmp/tradebaas-alerts \\
    --cluster.listen-address= --web.listen-address=127.0.0.1:9193 &
prometheus --config.file=prometheus.yml --storage.tsdb.path=/tmp/tradebaas-metrics \\
    --web.listen-address=127.0.0.1:9190
```

The ports are not the usual ones (9090 and 9093): there the services that the packages of Debian
start listen already. To stay, the rules belong into those services, or into the Prometheus that you
have:

1. Copy `tradebaas.rules.yml` to `/etc/prometheus/`.
2. In `/etc/prometheus/prometheus.yml` add it to `rule_files`, and the daemon as a job named
   `tradebaas` to `scrape_configs` (both as in our `prometheus.yml`), and see that `alerting` names
   your Alertmanager (`localhost:9093`).
3. Put a receiver that reaches you into `/etc/prometheus/alertmanager.yml`, as in our
   `alertmanager.yml`.
4. `promtool check config /etc/prometheus/prometheus.yml`, then
   `systemctl reload prometheus prometheus-alertmanager`.

The rules ask for the job by its name. A Prometheus on another machine sees also that this one is
gone; the [address of the daemon](api.md) is loopback unless you open it.

`deploy/grafana/tradebaas.json` is a dashboard for Grafana: import it and choose Prometheus and
daemon. What reaches a person without any of this is in [notices](notices.md).
"""
ALERTS = """\
## Alerts

`critical` is for now, `warning` for today. Each name leads to its entry in the runbook, which
has the rest; the alert itself carries the way there as `runbook`.
"""
METRICS = """\
## Metrics

All names begin with `tradebaas_`.
"""
ALERT = re.compile(
    r"- alert: (?P<name>\w+)\n(?:\s+#.*\n)?\s+expr: >-\n(?P<expr>(?: {10}\S.*\n)+)"
    r"(?:\s+for: (?P<wait>\w+)\n)?\s+labels:\n\s+severity: (?P<severity>\w+)\n"
    r"\s+annotations:\n\s+summary: >-\n(?P<summary>(?: {12}\S.*\n)+)"
    r"\s+description: >-\n(?P<description>(?: {12}\S.*\n)+)"
)


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join((HEAD, ALERTS, *_alerts(), "", METRICS, *_metrics(), ""))


def _alerts() -> Iterator[str]:
    yield "| alert | | when | for | what it means, and what to do |"
    yield "| --- | --- | --- | --- | --- |"
    for found in ALERT.finditer(RULES.read_text(encoding="utf-8")):
        summary, text = _flat(found["summary"]), _flat(found["description"])
        expr = _flat(found["expr"]).replace("|", "\\|")
        words = f"{summary}. {text}".replace("|", "\\|")
        yield (
            f"| [`{found['name']}`](runbook.md#{found['name'].lower()}) | {found['severity']} "
            f"| `{expr}` | {found['wait'] or 'at once'} | {words} |"
        )


def _flat(text: str) -> str:
    return " ".join(text.split())


def _metrics() -> Iterator[str]:
    yield "| metric | type | meaning |"
    yield "| --- | --- | --- |"
    yield from (f"| `{row.name}` | gauge | {row.help} |" for row in GAUGES)
    yield from (f"| `{row.name}` | counter | {row.help} |" for row in COUNTERS)
    yield from (f"| `{row.name}` | histogram | {row.help} |" for row in HISTOGRAMS)
    for row in BY_LABEL:
        kind = "counter" if row.name.endswith("_total") else "gauge"
        yield f"| `{row.name}{{{row.label}}}` | {kind} | {row.help} |"
    name, labels, words = RESTARTS
    yield f"| `{name}{{{', '.join(labels)}}}` | counter | {words} |"


assert PREFIX == "tradebaas_"

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
