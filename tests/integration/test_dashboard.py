"""The dashboard shows metrics that exist, with labels that they have, in PromQL that is right."""

import json
import re
import runpy
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.web.harness import World, served
from tradebaas.core.state import Counters
from tradebaas.runtime.supervisor import Cause

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "grafana" / "tradebaas.json"
BOARD = json.loads(FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES = {"$instance": ".+", "${source}": "x"}


async def published() -> dict[str, set[str]]:
    """Each metric that a daemon publishes, and its labels."""
    world = World()
    world.well()
    one = {"BTC": Decimal(1)}
    world.show(counters=Counters(net=one, fees=one, funding=one))
    world.board.restarts[Cause("strategy", "ValueError")] = 1
    async with served(world) as client, world.life():
        text = (await client.get("/metrics")).text
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(tradebaas_\w+)(?:{(.*?)})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    return found


def test_the_dashboard_is_what_the_table_says() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "dashboard.py"))["board"]()
    assert FILE.read_text(encoding="utf-8") == drawn, "run: python scripts/dashboard.py"


async def test_every_panel_shows_metrics_that_exist() -> None:
    known = await published()
    for query in QUERIES:
        asked = re.findall(r"tradebaas_\w+", query)
        assert asked, query
        assert set(asked) <= known.keys(), query


async def test_a_legend_names_labels_that_the_metric_has() -> None:
    known = await published()
    for panel in PANELS:
        for target in panel["targets"]:
            (name, *_) = re.findall(r"tradebaas_\w+", target["expr"])
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known[name], target


def test_each_metric_of_safety_is_shown() -> None:
    text = " ".join(QUERIES)
    rules = (ROOT / "deploy" / "prometheus" / "tradebaas.rules.yml").read_text(encoding="utf-8")
    assert {name for name in re.findall(r"tradebaas_\w+", rules) if name not in text} == set()


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("not installed here: promtool (apt install prometheus)")
    assert check(QUERIES, tmp_path).returncode == 0, check(QUERIES, tmp_path)
    assert check([*QUERIES, "rate(tradebaas_commits_total)"], tmp_path).returncode != 0


def check(queries: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Have promtool parse queries, as recording rules."""
    rules = []
    for number, query in enumerate(queries):
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        rules.append({"record": f"panel:{number}", "expr": query})
    file = folder / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))  # JSON is YAML
    command = ["promtool", "check", "rules", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_panel_lies_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken[x, y])
                taken[x, y] = panel["title"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
