"""/health, /health/live, /health/ready and the signpost, over a real server on loopback."""

from collections.abc import Callable

import httpx
import msgspec
import pytest
import trio
from msgspec.structs import replace

from tests.unit.web.harness import EPOCH_MS, INTENT, POSITION, World, served
from tradebaas.board import BackupStatus, LinkStatus, StoreStatus, Vitals
from tradebaas.core.model import Phase
from tradebaas.core.state import HaltLatch, Pending
from tradebaas.web import health
from tradebaas.web.health import glance
from tradebaas.web.status import now_body


@pytest.fixture
def world() -> World:
    world = World()
    world.well()
    return world


async def test_a_well_daemon_is_healthy(world: World) -> None:
    async with served(world) as client, world.life():
        response = await client.get("/health")
    body = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert body["status"] == "healthy"
    assert body["reason"] == ""
    assert all(check == {"ok": True, "detail": ""} for check in body["checks"].values())
    assert list(body["checks"]) == [check.name for check in health.CHECKS]
    assert body["version"] == "9.9.9"
    assert body["phase"] == "IDLE"
    assert body["uptime"] == 100
    assert body["memory"] == {"bytes": 50_000_000, "percent": 12.5}
    assert body["cpu"] == {"percent": 3.0}
    assert body["permit"] is True


async def test_without_a_life_health_is_503_and_says_recovering(world: World) -> None:
    async with served(world) as client:
        body = await client.get("/health")
        ready = await client.get("/health/ready")
        live = await client.get("/health/live")
    assert body.status_code == 503
    assert body.json()["status"] == "unhealthy"
    assert "recovering" in body.json()["reason"]
    assert body.json()["checks"]["broker"]["ok"] is False
    assert (ready.status_code, ready.json()["status"]) == (503, "recovering")
    assert (live.status_code, live.json()["status"]) == (200, "live")


async def test_ready_once_the_store_is_recovered() -> None:
    world = World()
    async with served(world) as client, world.life():
        assert (await client.get("/health/ready")).status_code == 503
        world.show(life=1)
        assert (await client.get("/health/ready")).json() == {"status": "ready", "life_up": True}


async def test_a_life_that_ends_while_asked_is_recovering(world: World) -> None:
    world.mute = True
    seen: list[int] = []

    async def ask(client: httpx.AsyncClient) -> None:
        seen.append((await client.get("/health")).status_code)

    async with served(world) as client, trio.open_nursery() as nursery, world.life():
        nursery.start_soon(ask, client)
        await world.asked.wait()
        assert seen == []
    assert seen == [503]


async def test_a_persister_that_does_not_answer_is_a_store_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PING_SECONDS", 0.05)
    world.mute = True
    async with served(world) as client, world.life():
        response = await client.get("/health")
        assert (await client.get("/health/ready")).status_code == 200, "it is not asked"
    assert response.status_code == 503
    assert "has not answered" in response.json()["checks"]["store"]["detail"]


async def test_signpost_names_the_endpoints(world: World) -> None:
    async with served(world) as client:
        page = await client.get("/")
        nowhere = await client.get("/nowhere")
        wrong = await client.get("/api/halt")
    assert page.headers["content-type"].startswith("text/html")
    assert "/health" in page.text
    assert 'name="viewport"' in page.text, "on a telephone it would be a miniature"
    assert 'rel="icon"' in page.text, "a browser would ask for one, and be told of an error"
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert "error" in nowhere.json()
    assert "error" in wrong.json()


Spoil = Callable[[World], None]

AMISS: list[tuple[str, str, Spoil]] = [
    ("store", "unhealthy", lambda w: w.board.store.set(StoreStatus(fault="disk full"))),
    ("broker", "degraded", lambda w: w.board.link.set(LinkStatus(up=False, detail="refused"))),
    ("reconciled", "degraded", lambda w: w.show(reconciled=0)),
    ("protected", "degraded", lambda w: w.show(position=POSITION)),
    ("protected", "degraded", lambda w: w.show(elsewhere={POSITION.instrument: POSITION})),
    (
        "orders_known",
        "degraded",
        lambda w: w.show(pending={INTENT.label: Pending(intent=INTENT, unknown="life 1 ended")}),
    ),
    ("nothing_foreign", "degraded", lambda w: w.show(foreign={"x": "order 5 of the owner"})),
    ("not_protect_only", "degraded", lambda w: w.show(protect={"disk full": "no space"})),
    ("not_halted", "degraded", lambda w: w.show(halted=HaltLatch(by="operator", reason="r"))),
    (
        "backup",
        "degraded",
        lambda w: w.board.backup.set(BackupStatus(last_ms=EPOCH_MS - 7_300_000, name="b")),
    ),
    ("backup", "degraded", lambda w: w.board.backup.set(BackupStatus(failure="no space"))),
    (
        "backup",
        "degraded",
        lambda w: w.board.backup.set(BackupStatus(last_ms=EPOCH_MS, second_failure="no mount")),
    ),
    (
        "backup",
        "degraded",
        lambda w: w.board.backup.set(BackupStatus(last_ms=EPOCH_MS, made_room=3)),
    ),
    ("memory", "degraded", lambda w: w.board.vitals.set(replace(vitals(w), memory_percent=90.0))),
]


def vitals(world: World) -> Vitals:
    value = world.board.vitals.value
    assert value is not None
    return value


@pytest.mark.parametrize("name, status, spoil", AMISS)
async def test_each_check_can_fail_alone(
    world: World, name: str, status: str, spoil: Spoil
) -> None:
    spoil(world)
    async with served(world) as client, world.life():
        response = await client.get("/health")
    body = response.json()
    failed = [key for key, check in body["checks"].items() if not check["ok"]]
    assert failed == [name]
    assert body["status"] == status
    assert response.status_code == (503 if status == "unhealthy" else 200)
    assert body["checks"][name]["detail"] in body["reason"]


async def test_status_is_of_one_moment(world: World) -> None:
    """A position that opens between two requests is in neither half of one answer, or in both."""
    async with served(world) as client, world.life():
        before = (await client.get("/api/status")).json()
        world.show(seq=12, phase=Phase.POSITION_OPEN, position=POSITION)
        after = await client.get("/api/status")
    assert (before["health"]["phase"], before["strategy"]["position"]) == ("IDLE", None)
    halves = after.json()["health"], after.json()["strategy"]
    assert [(half["phase"], half["seq"]) for half in halves] == [("POSITION_OPEN", 12)] * 2
    assert halves[1]["position"]["size"] == "-100"
    assert not halves[0]["checks"]["protected"]["ok"]
    assert after.status_code == 200


async def test_status_before_the_store_is_read() -> None:
    async with served(World()) as client:
        response = await client.get("/api/status")
    assert response.status_code == 503
    assert response.json()["strategy"] is None
    assert response.json()["health"]["status"] == "unhealthy"


async def test_facts_stand_still(world: World) -> None:
    """What is read of them later is of the moment that they were taken at."""
    async with world.life():
        facts = glance(world.shell())
        world.show(seq=99, position=POSITION, protect={"disk full": "no space"})
        world.board.link.set(LinkStatus(up=False, detail="gone"))
        world.board.store.set(StoreStatus(fault="disk full"))
        world.board.halt = "later"
        body = now_body(facts)
    told = msgspec.to_builtins(body)
    assert told["health"]["seq"] == told["strategy"]["seq"] != 99
    assert told["strategy"]["position"] is None
    assert told["health"]["reason"] == ""
    assert facts.board.halt == ""


async def test_the_address_of_the_exchange_is_said_once(world: World) -> None:
    world.board.link.set(LinkStatus(up=False, url="ws://x", detail="ws://x: in maintenance"))
    async with served(world) as client, world.life():
        body = (await client.get("/health")).json()
    assert body["checks"]["broker"]["detail"] == "not connected to ws://x: in maintenance"


def test_every_check_is_shown_to_fail() -> None:
    assert {name for name, _, _ in AMISS} | {"life"} == {check.name for check in health.CHECKS}
