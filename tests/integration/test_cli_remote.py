"""Commands to a running daemon: the real HTTP server on loopback, the real command line."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
from click.testing import Result
from msgspec.structs import replace

from tests.unit.cli.stores import tradebaas
from tests.unit.web.harness import CONFIG, POSITION, TOKEN, World, served
from tradebaas.commands import operate, remote
from tradebaas.commands.remote import Reply
from tradebaas.config import Config
from tradebaas.core.model import Phase
from tradebaas.store.place import Place
from tradebaas.web import api


@pytest.fixture
def world(tmp_path: Path) -> World:
    data = tmp_path / "data"
    data.mkdir()
    (data / "token").write_text(TOKEN + "\n")
    world = World(config=msgspec.structs.replace(CONFIG, data=str(data)))
    world.well()
    return world


@contextmanager
def address(world: World, url: str) -> Iterator[None]:
    path = world.config.data_dir / "address"
    path.write_text(json.dumps({"http": url, "pid": os.getpid()}))
    yield
    path.unlink()


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    async with served(world) as client:
        with address(world, str(client.base_url).rstrip("/")):
            yield


async def command(world: World, *arguments: str) -> Result:
    def call() -> Result:
        return tradebaas(*arguments, "--data", world.config.data)

    return await trio.to_thread.run_sync(call)


async def test_status_of_a_healthy_daemon(world: World) -> None:
    async with running(world), world.life():
        shown = await command(world, "status")
        as_json = await command(world, "status", "--json")
    assert shown.exit_code == 0
    assert "healthy, up 1 min 40 s, version 9.9.9" in shown.output
    assert "IDLE in life 1" in shown.output
    assert "none was ever started" in shown.output
    assert "flat" in shown.output
    assert "allowed" in shown.output
    assert "0 (0 won, 0 lost)" in shown.output
    assert json.loads(as_json.output)["status"] == "healthy"


async def test_status_asks_once_for_what_is_of_one_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two requests a position may open: it showed the phase before and the one after."""
    asked: list[str] = []
    get = remote.get

    def counted(config: Config, path: str) -> Reply:
        asked.append(path)
        reply = get(config, path)
        later = partial(world.show, position=POSITION, protect={"late": "later"})
        trio.from_thread.run_sync(later)
        return reply

    monkeypatch.setattr(operate, "get", counted)
    async with running(world), world.life():
        shown = await command(world, "status")
    assert asked == ["/api/status", "/api/gap"]
    assert "IDLE in life 1" in shown.output
    assert "later" not in shown.output
    assert "short" not in shown.output


async def test_status_while_recovering_exits_1(world: World) -> None:
    async with running(world):
        shown = await command(world, "status")
    assert shown.exit_code == 1
    assert "unhealthy" in shown.output
    assert "recovering" in shown.output


async def test_status_before_the_store_is_recovered(world: World) -> None:
    async with running(World(config=world.config)):
        shown = await command(world, "status")
    assert shown.exit_code == 1
    assert "not known before the store is recovered" in shown.output


async def test_move_stop(world: World) -> None:
    held = replace(POSITION, entry_amount=Decimal(100), entry_value=Decimal("0.00125"))
    world.show(position=held, phase=Phase.POSITION_OPEN)
    async with running(world), world.life():
        closer = await command(world, "move-stop", "81000")
        farther = await command(world, "move-stop", "90000")
        odd = [await command(world, "move-stop", text) for text in ("a little", "0", "nan")]
    assert closer.exit_code == 0, closer.output
    assert "is moved from 81600 to 81000 by operator" in closer.output
    assert farther.exit_code == 1
    assert "only moved closer" in farther.stderr
    for usage in odd:
        assert usage.exit_code == 2
        assert "is no price" in usage.stderr


async def test_start_halt_resume_stop(world: World) -> None:
    async with running(world), world.life():
        started = await command(
            world, "start", "other", "--timeframe", "5m", "--set", "a=1", "--set", "b=0.5"
        )
        again = await command(world, "start")
        halted = await command(world, "halt", "lunch")
        twice = await command(world, "halt", "lunch")
        resumed = await command(world, "resume", "--json")
        nothing = await command(world, "resume")
        flat = await command(world, "close")
        stopped = await command(world, "stop", "--close")
    assert started.exit_code == 0, started.output
    assert "started other on BTC-PERPETUAL 5m (a=1, b=0.5)" in started.output
    assert "stored as event" in started.output
    assert again.exit_code == 1
    assert "Only one strategy" in again.stderr
    assert "HALTED by operator: lunch" in halted.output
    assert "HALTED" not in twice.output
    assert "nothing to change: stored as event" in twice.output
    assert json.loads(resumed.output)["events"][0] == {"type": "Resumed", "by": "operator"}
    assert (nothing.exit_code, nothing.stderr) == (1, "tradebaas: nothing is halted\n")
    assert (flat.exit_code, flat.stderr) == (1, "tradebaas: no position is open\n")
    assert stopped.exit_code == 0
    assert not Place(world.config.data_dir).halt.exists(), (
        "the persister writes it, not the command"
    )


async def test_a_wrong_token_says_where_the_right_one_is(world: World) -> None:
    (world.config.data_dir / "token").write_text("wrong")
    async with running(world), world.life():
        result = await command(world, "halt")
    assert result.exit_code == 1
    assert "data/token" in result.stderr
    assert world.log == []


async def test_halt_of_a_crew_that_restarts_is_left_for_its_next_life(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HALT_SECONDS", 0.2)
    async with running(world):
        shown = await command(world, "halt", "now")
        as_json = await command(world, "halt", "now", "--json")
    assert shown.exit_code == 0, shown.output
    assert "the next one reads it, halts" in shown.output
    assert json.loads(as_json.output)["halted"] == "at the next life"
    assert world.left == ["operator: now"] * 2


async def test_a_halt_that_nobody_answers_is_left_by_the_command(world: World) -> None:
    world.unwritable = True
    async with running(world):
        result = await command(world, "halt", "now")
    assert result.exit_code == 0, result.output
    assert Place(world.config.data_dir).halt.read_text() == "operator: now"


async def test_bad_parameters_are_usage_errors(world: World) -> None:
    result = await command(world, "start", "--set", "fast")
    assert result.exit_code == 2
    assert "NAME=VALUE" in result.stderr
