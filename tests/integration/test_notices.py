"""Notices reach a real web service and a real mail server, whatever dies or hangs on the way."""

import dataclasses
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from msgspec.structs import replace
from notice_kit import Service, mail_server, service

from tests.unit.actors.process import Run, environment, tradebaas
from tests.unit.cli.stores import HALTED, write_store
from tradebaas import board as boards
from tradebaas.access import NOTICE_VARIABLE
from tradebaas.config import Config
from tradebaas.core.events import (
    Event,
    Halted,
    LifeEnded,
    LifeStarted,
    Linked,
    Resumed,
    TradeClosed,
)
from tradebaas.notices import watch as watching
from tradebaas.notices.memory import Told, load, save
from tradebaas.notices.watch import BATCH, Watch
from tradebaas.runtime.ports import ChildFailed, Ports, system_ports
from tradebaas.settings import NoticesSection

WITHIN_S = 20.0
SECRET = "hunter2-and-more"
HALT = Halted(by="operator", reason="lunch")
KILLS = 2
RESUME = Resumed(by="operator")


@pytest.fixture
def web() -> Iterator[Service]:
    with service() as here:
        yield here


def notify(*words: str, addresses: str, **environ: str) -> tuple[int, str]:
    """Exit code and all words of ``tradebaas notify``."""
    done = subprocess.run(
        [sys.executable, "-m", "tradebaas", "notify", *words],
        env=environment(**environ, **{NOTICE_VARIABLE: addresses}),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


# ------------------------------------------------------------------------------------ the command


def test_a_test_reaches_every_address(web: Service) -> None:
    with mail_server() as (port, mails):
        mail = f"mailto://127.0.0.1:{port}?from=bot@example.org&to=me@example.org"
        code, words = notify("--test", addresses=f"# mine\n{web.address()}\n{mail}\n")
    assert (code, words.count("sent")) == (0, 2)
    assert web.titles == ["a test"]
    assert [mail["Subject"] for mail in mails] == ["TradeBaas: a test"]
    assert "What you should do: " in mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]


def test_an_address_that_fails_is_told_without_its_secrets(web: Service) -> None:
    web.answers = [403]
    refused = f"json://me:{SECRET}@127.0.0.1:{web.port}/token-{SECRET}"
    silent = f"json://me:{SECRET}@127.0.0.1:1/token-{SECRET}"
    code, words = notify("--test", addresses=f"{refused}\n{silent}\nnothing://{SECRET}\n")
    assert code == 1
    assert SECRET not in words
    assert "403" in words
    assert "no address that apprise knows" in words
    assert "3 of 3 addresses did not take the notice" in words


def test_without_an_address_a_test_says_how_to_give_one() -> None:
    code, words = notify("--test", addresses="")
    assert code == 1
    assert NOTICE_VARIABLE in words


def test_a_unit_that_failed_is_told_with_its_exit_code(web: Service) -> None:
    more = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": "78"}
    code, _ = notify("--unit", "tradebaas.service", addresses=web.address(), **more)
    assert code == 0
    (notice,) = web.got
    assert notice["title"] == "TradeBaas: tradebaas.service has FAILED"
    assert "exit-code, exit status 78. The configuration is wrong" in notice["message"]
    assert notice["type"] == "failure"


def test_a_unit_that_fails_at_each_turn_is_told_once(web: Service, tmp_path: Path) -> None:
    """And it is not taken for told where it was not delivered."""
    more = {"MONITOR_EXIT_STATUS": "78", "STATE_DIRECTORY": str(tmp_path)}
    unit = ("--unit", "tradebaas-audit.service")
    assert notify(*unit, addresses="json://127.0.0.1:1/", **more)[0] == 1
    codes = [notify(*unit, addresses=web.address(), **more)[0] for _ in range(2)]
    assert codes == [0, 0]
    (notice,) = web.got
    assert "was not compared" in notice["message"]
    assert "trades on" in notice["message"]


def test_where_nobody_is_told_a_failed_unit_is_no_failure() -> None:
    code, words = notify("--unit", "tradebaas.service", addresses="")
    assert code == 0
    assert "nobody is told" in words


# --------------------------------------------------------------------------------------- the task


class Scene:
    """A ``Watch`` on a board that this test writes to, with real children and receivers."""

    def __init__(
        self, data: Path, *addresses: str, ports: Ports | None = None, **settings: float
    ) -> None:
        self.config = Config(data=str(data), notices=NoticesSection(**settings))  # type: ignore[arg-type]
        self.board = boards.Board()
        self.watch = Watch(lambda: self.config, self.board, ports or system_ports(), addresses)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watch.run)
            await trio.testing.wait_all_tasks_blocked()
            with trio.fail_after(WITHIN_S):
                yield
            nursery.cancel_scope.cancel()

    def commit(self, seq: int, event: Event) -> None:
        self.board.events.publish((seq, event))

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():  # noqa: ASYNC110 - what is waited for happens in other processes
            await trio.sleep(0.02)

    @property
    def status(self) -> boards.NoticeStatus:
        return self.board.notices.value or boards.NoticeStatus()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BACKOFF_S", (0.05,))


@pytest.fixture
def addressed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, ...]]:
    """Gives addresses to the children, as the environment of the daemon does."""

    def give(*addresses: str) -> tuple[str, ...]:
        monkeypatch.setenv(NOTICE_VARIABLE, "\n".join(addresses))
        return addresses

    return give


Give = Callable[..., tuple[str, ...]]


async def test_a_committed_event_is_told_and_remembered(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.commit(7, HALT)
        await scene.until(lambda: load(tmp_path) is not None)
    assert web.titles == ["HALTED"]
    assert "Trading is halted by operator: lunch." in web.got[0]["message"]
    assert load(tmp_path) == replace(Told(), seq=7)
    assert (scene.status.sent, scene.status.waiting) == (1, 0)


async def test_what_was_committed_unheard_is_read_from_the_log(
    web: Service, addressed: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told up to the event before the halt, then killed: the next process tells the rest."""
    monkeypatch.setattr(watching, "OLDEST_MS", 10**15)
    state = write_store(tmp_path, HALTED)
    save(tmp_path, Told(seq=1))
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.commit(state.seq + 1, RESUME)
        await scene.until(lambda: load(tmp_path) == Told(seq=state.seq + 1))
    assert web.titles == ["HALTED", "stopped", "resumed"]


async def test_what_is_long_past_is_only_counted(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    state = write_store(tmp_path, HALTED)
    save(tmp_path, Told(seq=1))
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.commit(state.seq + 1, RESUME)
        await scene.until(lambda: len(web.got) == 2)
    assert sorted(web.titles) == ["2 notices were held back", "resumed"]


async def test_a_memory_of_a_later_log_is_none(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    """A backup was restored: its log is shorter."""
    state = write_store(tmp_path, HALTED)
    save(tmp_path, Told(seq=1_000))
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.commit(state.seq + 1, RESUME)
        await scene.until(lambda: load(tmp_path) == Told(seq=state.seq + 1))
    assert web.titles == ["resumed"]


async def test_what_the_feed_dropped_is_read_from_the_log(
    web: Service, addressed: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "OLDEST_MS", 10**15)
    state = write_store(tmp_path, HALTED)
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.commit(1, LifeStarted(life=1, token="t", wall_ms=1))
        scene.commit(state.seq + 1, RESUME)
        await scene.until(lambda: load(tmp_path) == Told(seq=state.seq + 1))
    assert web.titles == ["started", "HALTED", "stopped", "resumed"]


async def test_a_long_quiet_stretch_is_not_read_again(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, *addressed(web.address()))
    many = watching.CHUNK + 10
    async with scene.running():
        for seq in range(1, many + 1):
            scene.commit(seq, Linked(connection=seq, account="a"))
        await scene.until(lambda: load(tmp_path) is not None)
    told = load(tmp_path)
    assert told is not None
    assert told.seq >= watching.CHUNK
    assert web.got == []


async def test_a_service_that_fails_is_tried_again(
    web: Service, addressed: Give, tmp_path: Path, soon: None, capfd: pytest.CaptureFixture[str]
) -> None:
    web.answers = [500, 500]
    scene = Scene(tmp_path, *addressed(web.address(f"token-{SECRET}")))
    async with scene.running():
        scene.commit(1, HALT)
        await scene.until(lambda: scene.status.sent == 1)
    assert web.titles == ["HALTED"]
    assert web.tries == 3
    said = capfd.readouterr().out
    assert said.count("was not delivered and is tried again") == 1
    assert "500" in said
    assert SECRET not in said


async def test_a_child_that_crashes_with_a_secret_on_its_lips_gives_none_away(
    tmp_path: Path, soon: None, capfd: pytest.CaptureFixture[str]
) -> None:
    async def crash(arguments: Sequence[str], within: float, given: str = "") -> str:
        await trio.lowlevel.checkpoint()
        raise ChildFailed(f"it exited 1: ValueError: no port in {address!r} for {arguments}")

    address = f"json://me:{SECRET}@127.0.0.1:x/token-{SECRET}"
    ports = dataclasses.replace(system_ports(), run_self=crash)
    scene = Scene(tmp_path, address, ports=ports)
    async with scene.running():
        scene.commit(1, HALT)
        await scene.until(lambda: bool(scene.status.failure))
    said = capfd.readouterr().out + scene.status.failure
    assert "it exited 1: ValueError" in said
    assert SECRET not in said


async def test_one_that_cannot_be_delivered_is_given_up(
    web: Service, addressed: Give, tmp_path: Path, soon: None, capfd: pytest.CaptureFixture[str]
) -> None:
    web.answers = [500]
    scene = Scene(tmp_path, *addressed(web.address()), give_up_seconds=0.0)
    async with scene.running():
        scene.commit(1, HALT)
        scene.commit(2, RESUME)
        await scene.until(lambda: scene.status.sent == 1)
    assert scene.status.lost == 1
    assert web.titles == ["resumed"]
    assert "is given up" in capfd.readouterr().out


async def test_a_service_that_hangs_holds_up_neither_the_loop_nor_another_one(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    with service() as other:
        other.hangs.set()
        scene = Scene(tmp_path, *addressed(other.address(), web.address()))
        async with scene.running():
            latest = 0.0
            scene.commit(1, HALT)
            while not (web.got and other.tries):
                began = trio.current_time()
                await trio.sleep(0.005)
                latest = max(latest, trio.current_time() - began)
            assert (web.titles, other.got) == (["HALTED"], [])
            assert latest < 0.5  # an import of apprise, or an answer that is awaited, takes longer
        assert load(tmp_path) is None or load(tmp_path) == replace(Told(), seq=0)


async def test_more_than_may_be_sent_is_counted(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, *addressed(web.address()), at_most=1, within_seconds=3.0)
    async with scene.running():
        for seq in range(1, 5):
            scene.commit(seq, RESUME)
        await scene.until(lambda: len(web.got) == 2)
    assert web.titles == ["resumed", "3 notices were held back"]


async def test_settings_that_change_hold_for_the_next_notice(
    web: Service, addressed: Give, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, *addressed(web.address()))
    async with scene.running():
        scene.config = Config(data=str(tmp_path), notices=NoticesSection(halted=False))
        scene.commit(1, HALT)
        await trio.testing.wait_all_tasks_blocked()
        scene.config = Config(data=str(tmp_path))
        scene.commit(2, RESUME)
        await scene.until(lambda: bool(web.got))
    assert web.titles == ["resumed"]


# ------------------------------------------------------------------------------------- the daemon


def trade(run: Run) -> None:
    """Have the daemon close what it has opened."""
    before = run.covered().counters.trades
    close = ("close", "--data", str(run.data))
    run.poll(lambda: tradebaas(*close, cwd=run.home).returncode == 0, "HTTP")
    run.until(lambda state: state.counters.trades > before, "a closed trade")


def test_a_daemon_that_is_killed_tells_everything_and_little_twice(
    web: Service, tmp_path: Path
) -> None:
    run = Run(tmp_path, more="\n[notices]\nat_most = 1000\n")
    address = web.address(f"token-{SECRET}")
    try:
        for _ in range(KILLS):
            run.start(TRADEBAAS_NOTICE_URLS=address)
            trade(run)
            run.signal(signal.SIGKILL)
            run.wait_end()
        run.start(TRADEBAAS_NOTICE_URLS=address)
        last = f"Life {KILLS + 1} has recovered"
        run.poll(lambda: any(last in n["message"] for n in web.got), "the notice of the recovery")
        run.signal(signal.SIGTERM)
        assert run.wait_end() == 0
        run.start(TRADEBAAS_NOTICE_URLS=address)  # what had no time to leave, this one tells
        lives = KILLS + 2
        starts = {f"started (life {number})" for number in range(1, lives + 1)}
        run.poll(lambda: all(_heard(web, start) for start in starts), "the notice of each start")
    finally:
        run.end()
    events = run.events()
    trades = [event.trade for event in events if isinstance(event, TradeClosed)]
    told = Counter(message for title, message in _closed(web))
    assert len(told) == len(trades)
    assert sum(told.values()) - len(trades) <= KILLS * BATCH
    assert sum(isinstance(e, LifeStarted) for e in events) == lives
    assert sum(isinstance(e, LifeEnded) for e in events) == 1
    assert "stopped" in web.titles
    assert SECRET not in run.log.read_text(encoding="utf-8")


def _heard(web: Service, words: str) -> bool:
    return any(words in notice["message"] for notice in web.got)


def _closed(web: Service) -> Iterator[tuple[str, str]]:
    for notice in web.got:
        if "position closed" in notice["title"]:
            yield notice["title"], notice["message"].splitlines()[0]
