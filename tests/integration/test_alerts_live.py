"""The alert rules on what a living daemon publishes, read by the real Prometheus: an expression
whose series the daemon does not have, or that are NaN, never fires, whatever the rules' own tests
say."""

import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from test_alerts import FOLDER, RULES, alerts, free_port, needs, running

from chaos.real.admin import Admin
from tests.unit.actors.process import Run, exchange_process
from tradebaas.store import catalogue
from tradebaas.store.audited import Audited, write_audited
from tradebaas.store.place import Place

LIMIT_S = 40.0
COMPARED = re.compile(r"\s+(?:==|>=|<=|>|<)\s+[\d.]+")


@dataclass
class Scene:
    """A daemon, the exchange's admin methods, and a Prometheus that reads the daemon."""

    run: Run
    admin: Admin
    port: str

    def ask(self, expression: str) -> list[float]:
        """The values of an instant query."""
        query = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=5) as page:
            found = json.load(page)["data"]["result"]
        return [float(series["value"][1]) for series in found]

    def soon(self, expression: str, *, within: float = LIMIT_S) -> list[float]:
        """Its values, once it has some and none is NaN; what it had last if that never comes."""
        until = time.monotonic() + within
        while True:
            values = self.ask(expression)
            known = bool(values) and not any(map(math.isnan, values))
            if known or time.monotonic() > until:
                return values
            time.sleep(0.2)


MORE = """
[backups]
interval_seconds = 1
second = {second}
"""


@contextmanager
def scene(tmp_path: Path) -> Iterator[Scene]:
    needs("prometheus")
    port, own = free_port(), str(free_port())
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    text = text.replace("127.0.0.1:3000", f"127.0.0.1:{port}").replace(
        "_interval: 15s", "_interval: 1s"
    )
    text = text.replace(RULES.name, str(RULES))
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    (tmp_path / "second").mkdir()
    with exchange_process(tmp_path / "exchange") as url:
        more = MORE.format(second=json.dumps(str(tmp_path / "second")))
        run, admin = Run(tmp_path, url, port=port, more=more), Admin(url)
        drilled_and_audited(run.data)
        run.start(TRADEBAAS_NOTICE_URLS="json://127.0.0.1:1/")
        try:
            run.poll(lambda: "HTTP on" in run.words(), "HTTP")
            with running("prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                         f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                         f"--web.listen-address=127.0.0.1:{own}",
                         log=tmp_path / "prometheus.log"):  # fmt: skip
                run.poll(lambda: "ready to receive" in (tmp_path / "prometheus.log").read_text(),
                         "Prometheus")  # fmt: skip
                yield Scene(run, admin, own)
        finally:
            admin.close()
            run.end()


def drilled_and_audited(data: Path) -> None:
    """As after a drill and an audit: they would take longer than all the rest here."""
    place = Place(data)
    place.backups.mkdir(parents=True)
    catalogue.write_note(place, catalogue.DRILL, catalogue.Note(int(time.time() * 1000)))
    write_audited(place, Audited(int(time.time() * 1000)))


def operands(expression: str) -> list[str]:
    """What an expression compares, without the comparisons and without what joins them."""
    parts = re.split(r" unless on \([^)]*\) | or ", COMPARED.sub("", expression))
    return [balanced(part) for part in parts]


def balanced(part: str) -> str:
    more = part.count("(") - part.count(")")
    return part[more:] if more > 0 else part[: len(part) + more]


def expressions() -> dict[str, str]:
    text = RULES.read_text(encoding="utf-8")
    found = re.findall(r"alert: TradeBaas(\w+)\n(?: +#.*\n)* +expr: >-\n((?: {10}\S.*\n)+)", text)
    return {name: " ".join(expr.split()) for name, expr in found}


def test_every_rule_compares_values_that_a_living_daemon_has(tmp_path: Path) -> None:
    rules = expressions()
    assert rules.keys() == alerts()
    assert operands('(a{b="c"} > 1) or ((d[1h] > 2) unless on (e, f) (g >= 0))') == [
        '(a{b="c"})', "(d[1h])", "(g)",
    ]  # fmt: skip
    with scene(tmp_path) as here:
        here.run.covered()
        for name, rule in rules.items():
            for part in operands(rule):
                values = here.soon(part)
                assert values, f"TradeBaas{name}: nothing has {part}"
                assert not any(map(math.isnan, values)), f"TradeBaas{name}: {part} is NaN"


def test_an_account_that_is_never_read_again_is_told_though_the_connection_comes_back(
    tmp_path: Path,
) -> None:
    """Each login succeeds and each reconcile hangs: only its age tells."""
    rule = expressions()["ReconcileOld"]
    assert "> 120" in rule
    with scene(tmp_path) as here:
        here.run.covered()
        for method in ("private/get_positions", "private/get_open_orders"):
            here.admin.call("admin/hold", method=method)
        here.admin.call("admin/disconnect")
        here.run.poll(lambda: here.ask("tradebaas_broker_connected == 1") == [], "the loss")
        assert here.soon("(tradebaas_broker_connected == 1) and tradebaas_reconcile_age_seconds")
        assert here.soon(rule.replace("> 120", "> 8")), "nothing that could fire"
        ages = here.ask("max_over_time(tradebaas_reconcile_age_seconds[5s])")
        assert ages
        assert not any(map(math.isnan, ages))
        here.admin.call("admin/release")
        here.run.poll(lambda: bool(here.ask("tradebaas_reconcile_age_seconds < 3")), "a reconcile")
