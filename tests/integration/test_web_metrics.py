"""/metrics as Prometheus would read it: names, types, truth, and what is not known yet."""

import math
import re
from decimal import Decimal
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.web.harness import EPOCH_MS, INTENT, POSITION, World, served
from tradebaas.board import AuditStatus, BackupStatus, LinkStatus
from tradebaas.core.events import RecoveryReport
from tradebaas.core.model import Assignment, Phase
from tradebaas.core.state import Counters, HaltLatch, Pending

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "tradebaas.rules.yml"
PREDECESSOR = {
    "tradebaas_uptime_seconds": "gauge",
    "tradebaas_memory_usage_bytes": "gauge",
    "tradebaas_memory_usage_percent": "gauge",
    "tradebaas_cpu_usage_percent": "gauge",
    "tradebaas_strategies_active": "gauge",
    "tradebaas_positions_open": "gauge",
    "tradebaas_trades_total": "counter",
    "tradebaas_trades_success": "gauge",
    "tradebaas_trades_failed": "gauge",
    "tradebaas_crashes_total": "counter",
    "tradebaas_last_recovery_time_seconds": "gauge",
    "tradebaas_last_recovery_success": "gauge",
    "tradebaas_healthy": "gauge",
    "tradebaas_broker_connected": "gauge",
}
REPORT = RecoveryReport(
    life=1,
    cause="killed",
    phase=Phase.IDLE,
    events_replayed=5,
    unresolved=(),
    findings=(),
    position="",
    naked_ms=0,
    store_notes=(),
    steps={},
    recovered_seconds=0.75,
    settle_seconds=0.0,
)


async def scrape(world: World, *, alive: bool = True) -> tuple[str, list[Metric]]:
    async with served(world) as client:
        if alive:
            async with world.life():
                response = await client.get("/metrics")
        else:
            response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return response.text, list(text_string_to_metric_families(response.text))


def value(families: list[Metric], name: str, **labels: str) -> float:
    found = [s.value for f in families for s in f.samples if s.name == name and s.labels == labels]
    assert len(found) == 1, (name, found)
    return float(found[0])


def well() -> World:
    world = World()
    world.well()
    return world


async def test_the_fourteen_names_and_types() -> None:
    text, families = await scrape(well())
    types = {s.name: f.type for f in families for s in f.samples if s.name in PREDECESSOR}
    assert types == PREDECESSOR
    for name in PREDECESSOR:
        assert f"# HELP {name} " in text
        assert f"# TYPE {name} {PREDECESSOR[name]}" in text


async def test_the_fourteen_values_are_those_of_the_fold() -> None:
    world = well()
    world.show(
        armed=True,
        assignment=Assignment(strategy="s", parameters={}, instrument="i", timeframe="1m"),
        counters=Counters(crashes=3, trades=9, trades_success=5, trades_failed=4),
        last_recovery=REPORT,
    )
    _, families = await scrape(world)
    expected = {
        "uptime_seconds": 100,
        "memory_usage_bytes": 50_000_000,
        "memory_usage_percent": 12.5,
        "cpu_usage_percent": 3,
        "strategies_active": 1,
        "positions_open": 0,
        "trades_total": 9,
        "trades_success": 5,
        "trades_failed": 4,
        "crashes_total": 3,
        "last_recovery_time_seconds": 0.75,
        "last_recovery_success": 1,
        "healthy": 1,
        "broker_connected": 1,
    }
    assert {n: value(families, f"tradebaas_{n}") for n in expected} == expected


async def test_our_own_values() -> None:
    world = well()
    world.show(
        seq=77,
        halted=HaltLatch(by="operator", reason="r"),
        counters=Counters(
            naked_ms_total=1500,
            naked_ms_max=900,
            naked_stretches=(4, 0, 0, 1, 1, 0, 0, 0, 0),
            orders_intended=6,
            net={"BTC": Decimal("-0.001")},
        ),
    )
    world.board.backup.set(BackupStatus(
        last_ms=EPOCH_MS - 60_000, name="b", second_ms=EPOCH_MS - 120_000,
        drilled_ms=EPOCH_MS - 180_000,
    ))  # fmt: skip
    world.board.audit.set(AuditStatus(at_ms=EPOCH_MS - 240_000, differences=1))
    _, families = await scrape(world)
    assert value(families, "tradebaas_naked_seconds_sum") == 1.5
    assert value(families, "tradebaas_naked_seconds_count") == 6
    assert value(families, "tradebaas_naked_seconds_bucket", le="0.05") == 4
    assert value(families, "tradebaas_naked_seconds_bucket", le="0.5") == 5
    assert value(families, "tradebaas_naked_seconds_bucket", le="10.0") == 6
    assert value(families, "tradebaas_naked_seconds_max") == 0.9
    assert value(families, "tradebaas_orders_total", outcome="intended") == 6
    assert value(families, "tradebaas_trades_net", currency="BTC") == -0.001
    assert value(families, "tradebaas_halted") == 1
    assert value(families, "tradebaas_permit") == 0
    assert value(families, "tradebaas_healthy") == 0
    assert value(families, "tradebaas_check_ok", check="not_halted") == 0
    assert value(families, "tradebaas_check_ok", check="store") == 1
    assert value(families, "tradebaas_event_seq") == 77
    assert value(families, "tradebaas_commits_total") == 7
    assert value(families, "tradebaas_backup_age_seconds") == 60
    assert value(families, "tradebaas_second_backup_age_seconds") == 120
    assert value(families, "tradebaas_drill_age_seconds") == 180
    assert value(families, "tradebaas_reconcile_age_seconds") == 5
    assert value(families, "tradebaas_audit_age_seconds") == 240
    assert value(families, "tradebaas_audit_differences") == 1
    assert value(families, "tradebaas_info", version="9.9.9") == 1


async def test_a_naked_position_and_an_unknown_order_are_told() -> None:
    """Whoever watches must see both, for nobody else tells of them."""
    world = well()
    pending = {INTENT.label: Pending(intent=INTENT, unknown="no answer")}
    world.show(position=POSITION, pending=pending)
    _, families = await scrape(world)
    assert value(families, "tradebaas_naked_amount") == 100
    assert value(families, "tradebaas_naked_elsewhere") == 0
    assert value(families, "tradebaas_check_ok", check="protected") == 0
    assert value(families, "tradebaas_unknown_orders") == 1
    assert value(families, "tradebaas_check_ok", check="orders_known") == 0
    assert value(families, "tradebaas_healthy") == 0


async def test_a_second_position_that_is_naked_is_told() -> None:
    world = well()
    world.show(elsewhere={POSITION.instrument: POSITION})
    _, families = await scrape(world)
    assert value(families, "tradebaas_naked_amount") == 0
    assert value(families, "tradebaas_naked_elsewhere") == 1
    assert value(families, "tradebaas_check_ok", check="protected") == 0


async def test_without_a_life_totals_stay_and_the_broker_is_gone() -> None:
    world = well()
    world.show(counters=Counters(trades=9))
    _, families = await scrape(world, alive=False)
    assert value(families, "tradebaas_trades_total") == 9
    assert value(families, "tradebaas_broker_connected") == 0
    assert value(families, "tradebaas_healthy") == 0
    assert value(families, "tradebaas_permit") == 0


async def test_the_age_of_a_reconcile_outlives_connections_and_lives() -> None:
    """Unknown it could not be compared, and its alert would be silent."""
    world = well()
    world.board.link.set(LinkStatus(up=True, connection=2, detail="reconciling"))
    assert value((await scrape(world))[1], "tradebaas_reconcile_age_seconds") == 5
    assert value((await scrape(world, alive=False))[1], "tradebaas_reconcile_age_seconds") == 5
    world.board.reconciled_at = None
    assert value((await scrape(world))[1], "tradebaas_reconcile_age_seconds") == 100


async def test_the_recovery_of_an_earlier_life_is_no_success_of_this_one() -> None:
    world = well()
    world.show(life=2, last_recovery=REPORT)
    _, families = await scrape(world)
    assert value(families, "tradebaas_last_recovery_success") == 0
    assert value(families, "tradebaas_last_recovery_time_seconds") == 0.75


async def test_what_is_not_known_yet_is_nan_or_absent_but_named() -> None:
    text, families = await scrape(World(), alive=False)
    for name in PREDECESSOR:
        assert f"# TYPE {name} " in text
    assert math.isnan(value(families, "tradebaas_memory_usage_bytes"))
    assert math.isnan(value(families, "tradebaas_last_recovery_time_seconds"))
    assert not [s for f in families for s in f.samples if s.name == "tradebaas_trades_total"]


async def test_every_metric_has_help_and_its_own_prefix() -> None:
    text, families = await scrape(well())
    names = [f.name for f in families]
    assert len(set(names)) == len(names)
    for family in families:
        assert family.name.startswith("tradebaas_")
        assert family.documentation.endswith(".")
    assert "python_info" not in text


async def test_a_strategy_that_a_crash_loop_keeps_out_is_not_active() -> None:
    world = well()
    world.show(armed=True, protect={"crash loop": "strategy ValueError"})
    _, families = await scrape(world)
    assert value(families, "tradebaas_strategies_active") == 0


async def test_what_became_of_notices_is_told_where_somebody_wants_any() -> None:
    _, families = await scrape(well())
    names = ("sent_total", "lost_total", "held_total", "waiting")
    assert [value(families, f"tradebaas_notices_{name}") for name in names] == [4, 1, 2, 3]
    text, _ = await scrape(World())
    assert "\ntradebaas_notices_sent_total " not in text


async def test_the_alert_rules_ask_for_what_is_published() -> None:
    text, _ = await scrape(well())
    asked = re.findall(r"(tradebaas_\w+)(?:{(\w+)=~?\"([^\"]+)\"})?", RULES.read_text())
    assert asked
    for name, label, values in asked:
        for value in values.split("|"):
            labels = f'{{{label}="{value}"}}' if label else ""
            assert re.search(rf"^{re.escape(name + labels)}[ {{]", text, re.MULTILINE), name
