"""The operator's endpoints over a real server: what is carried out, what is refused and how."""

from decimal import Decimal

import httpx
import pytest
import trio
import trio.testing
from msgspec.structs import replace
from quart_trio import QuartTrio

from tests.unit.web.harness import AUTH, POSITION, TOKEN, World, served
from tradebaas.core import moving
from tradebaas.core.messages import Answer, Request
from tradebaas.core.model import Direction, Order, Phase
from tradebaas.core.risk import Limits
from tradebaas.errors import StoreFault
from tradebaas.runtime.mailbox import Door, LifeEnded
from tradebaas.web import api
from tradebaas.web.guard import MAX_REQUESTS
from tradebaas.web.reply import MAX_BODY_BYTES

POSTS = [
    "/api/strategy/start",
    "/api/strategy/stop",
    "/api/halt",
    "/api/resume",
    "/api/position/close",
    "/api/position/stop",
]
STOP = Order(
    order_id="SLMS-7001", label="tb1-t-1-s", instrument="BTC-PERPETUAL", direction=Direction.BUY,
    order_type="stop_market", state="untriggered", amount=Decimal(100), reduce_only=True,
)  # fmt: skip
GETS = ["/api/strategy/status", "/api/recovery", "/api/position", "/api/orders"]


@pytest.fixture
def world() -> World:
    world = World()
    world.well()
    return world


async def post(client: httpx.AsyncClient, path: str, body: object = None) -> httpx.Response:
    return await client.post(path, json=body, headers=AUTH)


# ------------------------------------------------------------------------------ carried out


async def test_start_arms_the_configured_strategy(world: World) -> None:
    async with served(world) as client, world.life():
        response = await post(client, "/api/strategy/start")
        status = (await client.get("/api/strategy/status")).json()
    body = response.json()
    assert response.status_code == 200
    assert body["seq"] == world.state.seq == status["seq"] > 0
    assert [event["type"] for event in body["events"]] == world.log == ["Armed", "PhaseChanged"]
    assert world.state.assignment is not None
    assert world.state.assignment.parameters == {"fast": "3", "slow": "8"}
    assert status["strategy"]["armed"] is True
    assert status["strategy"]["assignment"]["strategy"] == "ma_cross"
    assert status["phase"] == "ANALYZING"


async def test_start_takes_what_the_body_says(world: World) -> None:
    body = {
        "strategy": "other",
        "instrument": "BTC_USDC-PERPETUAL",
        "timeframe": "5m",
        "parameters": {"length": 0.5},
    }
    async with served(world) as client, world.life():
        assert (await post(client, "/api/strategy/start", body)).status_code == 200
    armed = world.state.assignment
    assert armed is not None
    assert (armed.strategy, armed.instrument, armed.timeframe) == (
        "other",
        "BTC_USDC-PERPETUAL",
        "5m",
    )
    assert armed.parameters == {"length": "0.5"}, "the configured ones belong to another strategy"


async def test_single_parameters_override_the_configured_ones(world: World) -> None:
    async with served(world) as client, world.life():
        await post(client, "/api/strategy/start", {"parameters": {"slow": 21}})
    assert world.state.assignment is not None
    assert world.state.assignment.parameters == {"fast": "3", "slow": "21"}


async def test_stop_halt_and_resume(world: World) -> None:
    async with served(world) as client, world.life():
        await post(client, "/api/strategy/start")
        stopped = await post(client, "/api/strategy/stop", {"close": False})
        halted = await post(client, "/api/halt", {"reason": "lun\x1bch"})
        status = (await client.get("/api/strategy/status")).json()
        resumed = await post(client, "/api/resume")
    assert [r.status_code for r in (stopped, halted, resumed)] == [200, 200, 200]
    seqs = [r.json()["seq"] for r in (stopped, halted, resumed)]
    assert seqs == sorted(seqs)
    assert status["halted"] == {"by": "operator", "reason": "lun ch"}
    assert status["permit"] is False
    assert "lun ch" in status["barrier"]
    assert world.state.phase is Phase.IDLE
    assert world.state.halted is None


async def test_close_and_stop_with_close_ask_for_it(world: World) -> None:
    world.show(position=POSITION, phase=Phase.POSITION_OPEN, armed=True)
    async with served(world) as client, world.life():
        held = (await client.get("/api/position")).json()
        stopped = await post(client, "/api/strategy/stop", {"close": True})
    assert held["position"]["size"] == "-100"
    assert held["naked_amount"] == "100"
    kinds = [event["type"] for event in stopped.json()["events"]]
    assert kinds[:2] == ["Disarmed", "CloseRequested"]


async def test_closing_leaves_the_strategy_started(world: World) -> None:
    world.show(position=POSITION, phase=Phase.POSITION_OPEN, armed=True)
    async with served(world) as client, world.life():
        closed = await post(client, "/api/position/close", {"reason": "enough"})
    assert closed.json()["events"][0] == {"type": "CloseRequested", "reason": "enough"}
    assert world.state.armed is True


async def test_a_stop_is_moved_closer_and_nothing_else(world: World) -> None:
    held = replace(POSITION, entry_amount=Decimal(100), entry_value=Decimal("0.00125"))
    world.show(position=held, phase=Phase.POSITION_OPEN)
    async with served(world) as client, world.life():
        present = moving.present(world.state, held, Limits())
        moved = await post(client, "/api/position/stop", {"stop": str(present - 1)})
        back = await post(client, "/api/position/stop", {"stop": str(present)})
        nothing = await post(client, "/api/position/stop", {})
    assert moved.json()["events"][0]["type"] == "StopMoved"
    assert back.status_code == 409
    assert "only moved closer" in back.json()["error"]
    assert nothing.status_code == 400
    assert world.state.moved is not None


async def test_reads_answer_with_the_published_state(world: World) -> None:
    async with served(world) as client, world.life():
        for path in GETS:
            response = await client.get(path)
            assert response.status_code == 200, path
            assert "access-control-allow-origin" not in response.headers


async def test_orders_are_shown_by_the_exchanges_ids_and_our_labels(world: World) -> None:
    """So that a person can find, and cancel, each of them on the exchange's own page."""
    world.show(position=POSITION, phase=Phase.POSITION_OPEN, orders={STOP.order_id: STOP})
    async with served(world) as client, world.life():
        (listed,) = (await client.get("/api/orders")).json()["orders"]
        (stop,) = (await client.get("/api/position")).json()["protection"]
    assert listed == stop
    assert (stop["order_id"], stop["label"]) == ("SLMS-7001", "tb1-t-1-s")
    assert (stop["order_type"], stop["amount"]) == ("stop_market", "100")


async def test_reads_show_the_last_state_while_the_crew_restarts(world: World) -> None:
    async with served(world) as client:
        body = (await client.get("/api/strategy/status")).json()
    assert body["life_up"] is False
    assert body["phase"] == "IDLE"
    assert body["permit"] is False


async def test_reads_are_503_before_the_first_state() -> None:
    async with served(World()) as client:
        assert (await client.get("/api/position")).status_code == 503
        assert (await client.get("/api/recovery")).json()["finished"] is False


async def test_what_a_restore_did_not_have_is_shown_or_why_it_cannot_be_read(world: World) -> None:
    async with served(world) as client:
        assert (await client.get("/api/gap")).json() == {"restored": None}
        world.gap = {"fills": []}
        assert (await client.get("/api/gap")).json() == {"restored": {"fills": []}}
        world.gap = StoreFault("the disk is gone")
        broken = await client.get("/api/gap")
    assert (broken.status_code, broken.json()["error"]) == (503, "the disk is gone")


# ---------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"X-Token": TOKEN}]
)
async def test_every_post_needs_the_token(world: World, path: str, headers: dict[str, str]) -> None:
    async with served(world) as client, world.life():
        response = await client.post(path, headers=headers)
    assert response.status_code == 401
    assert "data/token" in response.json()["error"]
    assert world.log == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "[::1", "127.0.0.1.evil.example"]
)
async def test_who_comes_by_another_name_reads_and_commands_nothing(
    world: World, host: str
) -> None:
    async with served(world) as client, world.life():
        for path in ("/", "/health", "/metrics", "/api/position", "/api/strategy/status"):
            response = await client.get(path, headers={"Host": host})
            assert (response.status_code, "127.0.0.1" in response.text) == (403, True), path
        response = await client.post("/api/halt", headers={**AUTH, "Host": host})
        assert response.status_code == 403
        for name in ("localhost", "127.0.0.1:1", "[::1]:3000"):
            assert (await client.get("/health", headers={"Host": name})).status_code == 200
    assert world.log == []


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://[::1", "http://127.0.0.1:1", "https://{host}"]
)
async def test_pages_of_others_may_not_post(world: World, origin: str) -> None:
    async with served(world) as client, world.life():
        host = client.base_url.netloc.decode()
        headers = {**AUTH, "Origin": origin.format(host=host)}
        response = await client.post("/api/halt", headers=headers)
    assert response.status_code == 403
    assert world.log == []


async def test_a_rebound_name_may_not_post(world: World) -> None:
    headers = {**AUTH, "Origin": "http://evil.example", "Host": "evil.example"}
    async with served(world) as client, world.life():
        assert (await client.post("/api/halt", headers=headers)).status_code == 403


async def test_its_own_page_may_post(world: World) -> None:
    async with served(world) as client, world.life():
        headers = {**AUTH, "Origin": str(client.base_url).rstrip("/")}
        assert (await client.post("/api/halt", headers=headers)).status_code == 200


async def test_a_refusal_is_409_with_the_reason(world: World) -> None:
    async with served(world) as client, world.life():
        nothing = await post(client, "/api/strategy/stop")
        await post(client, "/api/strategy/start")
        twice = await post(client, "/api/strategy/start")
        flat = await post(client, "/api/position/close")
    assert nothing.status_code == twice.status_code == flat.status_code == 409
    assert nothing.json() == {"error": "No active strategy to stop"}
    assert "Only one strategy" in twice.json()["error"]
    assert flat.json() == {"error": "no position is open"}


@pytest.mark.parametrize(
    "path, body, named",
    [
        ("/api/strategy/stop", b'{"close": "yes"}', "$.close"),
        ("/api/strategy/stop", b'{"clos": true}', "clos"),
        ("/api/strategy/start", b'{"parameters": {"fast": true}}', "$.parameters"),
        ("/api/strategy/start", b'{"strategy": 5}', "$.strategy"),
        ("/api/halt", b'{"reason": 1}', "$.reason"),
        ("/api/halt", b'{"reason": "%s"}' % (b"x" * 201), "at most 200"),
        ("/api/position/close", b'{"reason": "%s"}' % (b"x" * 201), "at most 200"),
        ("/api/halt", b"{", "truncated"),
        ("/api/resume", b'{"by": "me"}', "by"),
        ("/api/strategy/start", b'{"strategy": "unheard_of"}', "unheard_of"),
    ],
)
async def test_a_bad_body_is_400_and_names_the_field(
    world: World, path: str, body: bytes, named: str
) -> None:
    async with served(world) as client, world.life():
        response = await client.post(path, content=body, headers=AUTH)
    assert response.status_code == 400
    assert named in response.json()["error"]
    assert world.log == []


async def test_a_huge_body_is_413(world: World) -> None:
    async with served(world) as client, world.life():
        response = await client.post("/api/halt", content=b" " * (MAX_BODY_BYTES + 1), headers=AUTH)
    assert response.status_code == 413


# ------------------------------------------------------------------------------- not answered


async def test_without_a_life_nothing_is_done(world: World) -> None:
    async with served(world) as client:
        response = await post(client, "/api/position/close")
    assert response.status_code == 503
    assert response.json()["outcome"] == "not done"


async def test_a_halt_without_a_life_is_left_for_the_next_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HALT_SECONDS", 0.2)
    async with served(world) as client:
        response = await post(client, "/api/halt", {"reason": "now"})
    assert (response.status_code, response.json()["halted"]) == (202, "at the next life")
    assert world.left == ["operator: now"]


async def test_a_halt_waits_for_the_next_life_and_is_stored_by_it(world: World) -> None:
    answers: list[httpx.Response] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append(await post(client, "/api/halt", {"reason": "now"}))

    async with served(world) as client, trio.open_nursery() as nursery:
        nursery.start_soon(ask, client)
        with trio.fail_after(10):
            while not world.left:  # noqa: ASYNC110
                await trio.sleep(0.01)
            async with world.life():
                while not answers:  # noqa: ASYNC110
                    await trio.sleep(0.01)
    assert answers[0].status_code == 200
    assert answers[0].json()["seq"] == world.state.seq
    assert world.left == ["operator: now"]
    assert world.log.count("Halted") == 1


async def test_a_halt_that_a_dying_life_does_not_answer_is_left_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HALT_SECONDS", 1.0)
    world.mute = True
    answers: list[httpx.Response] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append(await post(client, "/api/halt"))

    async with served(world) as client, trio.open_nursery() as nursery, world.life():
        nursery.start_soon(ask, client)
        await world.asked.wait()
    assert answers[0].status_code == 202
    assert world.left == ["operator: no reason given"]


async def test_a_halt_that_cannot_be_left_says_so(world: World) -> None:
    world.unwritable = True
    async with served(world) as client:
        response = await post(client, "/api/halt")
    assert response.status_code == 503
    assert "data/HALT cannot be written" in response.json()["error"]
    assert "Permission denied" in response.json()["error"]


async def test_a_life_that_ends_leaves_the_outcome_unknown(world: World) -> None:
    world.mute = True
    answers: list[httpx.Response] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append(await post(client, "/api/position/close"))

    async with served(world) as client, trio.open_nursery() as nursery, world.life():
        nursery.start_soon(ask, client)
        await world.asked.wait()
    assert answers[0].status_code == 503
    assert answers[0].json()["outcome"] == "unknown"


async def test_no_answer_in_time_is_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ASK_SECONDS", 0.05)
    world.mute = True
    async with served(world) as client, world.life():
        response = await post(client, "/api/position/close")
    assert response.status_code == 503
    assert response.json()["outcome"] == "unknown"
    assert "no answer to ClosePosition" in response.json()["error"]


async def test_a_halt_that_nobody_answers_in_time_is_left_in_the_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(api, "HALT_SECONDS", 0.3)
    world.mute = True
    async with served(world) as client, world.life():
        response = await post(client, "/api/halt", {"reason": "now"})
    assert (response.status_code, world.left) == (202, ["operator: now"])


async def test_a_halt_in_the_moment_of_a_death_is_left_in_the_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crew takes no more requests and is not gone yet: it was told "unknown", and forgotten."""
    monkeypatch.setattr(api, "HALT_SECONDS", 0.3)

    async def dying(_door: object, _request: Request, within: float) -> Answer:
        raise LifeEnded("the answering side takes no more requests")

    monkeypatch.setattr(Door, "ask", dying)
    async with served(world) as client, world.life():
        response = await post(client, "/api/halt", {"reason": "now"})
    assert (response.status_code, world.left) == (202, ["operator: now"])


async def test_requests_under_way_are_bounded(world: World) -> None:
    world.mute = True
    codes: list[int] = []
    refused = trio.Event()

    async def ask(client: httpx.AsyncClient) -> None:
        codes.append((await post(client, "/api/halt")).status_code)
        if len(codes) == 3:
            refused.set()

    async with served(world) as client, world.life():
        limits = httpx.Limits(max_connections=MAX_REQUESTS + 5)
        many = httpx.AsyncClient(base_url=client.base_url, limits=limits)
        async with many, trio.open_nursery() as askers:
            for _ in range(MAX_REQUESTS + 3):
                askers.start_soon(ask, many)
            await refused.wait()
            assert codes == [503] * 3
            assert (await client.get("/health/live")).status_code == 503
            askers.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (await client.get("/health/live")).status_code == 200


# ------------------------------------------------------------------------------------- chaos


async def test_chaos_is_absent_unless_asked_for(world: World) -> None:
    async with served(world) as client, world.life():
        assert (await post(client, "/chaos/kill/strategy")).status_code == 404


async def test_chaos_kills_an_actor(world: World) -> None:
    async with served(world, chaos=True) as client, world.life():
        killed = await post(client, "/chaos/kill/strategy")
        unknown = await post(client, "/chaos/kill/nobody")
        no_token = await client.post("/chaos/kill/strategy")
    assert (killed.status_code, unknown.status_code, no_token.status_code) == (202, 404, 401)
    assert world.killed == ["strategy"]


@pytest.mark.parametrize("client, status", [(("127.0.0.1", 5), 202), (("192.0.2.7", 5), 403)])
async def test_chaos_kills_from_this_machine_only(client: tuple[str, int], status: int) -> None:
    killed: list[str] = []
    app = QuartTrio("chaos")
    api.add_chaos(app, killed.append)
    scope = {"client": client}
    response = await app.test_client().post("/chaos/kill/strategy", scope_base=scope)
    assert response.status_code == status
    assert killed == (["strategy"] if status == 202 else [])
