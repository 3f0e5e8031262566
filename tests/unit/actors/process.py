"""The daemon and the exchange as real processes, for the tests of their starts and ends.

Only processes that were started here are ever signalled, each by its own pid. Every wait has a
limit, and ends in a message that has the process's last words.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from tests.unit.actors.world import EAGER
from tradebaas.core.events import Event
from tradebaas.core.state import State
from tradebaas.errors import Fatal
from tradebaas.store import codec
from tradebaas.store.folding import fold
from tradebaas.store.place import Place
from tradebaas.store.reader import open_reader

SOURCE = Path(__file__).parents[3] / "src"
LIMIT_S = 20.0
POLL_S = 0.02

CONFIG = """\
data = {data}

[exchange]
url = {url}
client_id = {client}

[embedded]
speed = 300
seed = 3
idle_exit_seconds = 60

[strategy]
name = {name}
timeframe = "3m"
autostart = true

[strategy.parameters]
active = {active}
broken = {broken}

[risk]
risk_percent = 0.1
max_entries_per_day = 1000000
max_daily_loss_percent = 100

[supervisor]
deaths = {deaths}
period_seconds = 60.0

[http]
port = {port}
"""

OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "SSL_CERT_FILE")
"""What a child must not inherit; besides, everything of ``TRADEBAAS_``."""


def environment(**more: str) -> dict[str, str]:
    """For children: they import this tree, and have no notifier, key or trust of ours."""
    kept = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith("TRADEBAAS_")}
    return kept | {"PYTHONPATH": str(SOURCE)} | more


def tradebaas(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tradebaas", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=cwd,
        env=environment(),
        check=False,
    )


@dataclass
class Run:
    """One ``tradebaas run`` on a data directory, started anew as often as wanted."""

    home: Path
    url: str = ""
    active: int = 1
    broken: int = 0
    deaths: int = 4
    port: int = 0
    chaos: bool = False
    client: str = "paper"
    strategy: str = EAGER
    more: str = ""
    program: tuple[str, ...] = ("-m", "tradebaas")
    process: "subprocess.Popen[bytes] | None" = None
    others: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "daemon.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def configure(self) -> Path:
        path = self.home / "tradebaas.toml"
        text = CONFIG.format(
            data=json.dumps(str(self.data)), url=json.dumps(self.url),
            name=json.dumps(self.strategy), client=json.dumps(self.client),
            active=self.active, broken=self.broken, deaths=self.deaths, port=self.port,
        )  # fmt: skip
        path.write_text(text + self.more, encoding="utf-8")
        return path

    def spawn(
        self, *, stdin: int = subprocess.DEVNULL, stdout: int | None = None, **env: str
    ) -> "subprocess.Popen[bytes]":
        """Start a process; it is not waited for. ``program`` is what Python runs."""
        command = [sys.executable, *self.program, "run", "--config", str(self.configure())]
        command += ["--chaos"] if self.chaos else []
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=log if stdout is None else stdout,
                stderr=log,
                cwd=self.home,
                env=environment(**env),
                start_new_session=True,
            )
        self.others.append(process)
        return process

    def start(
        self, *, stdin: int = subprocess.DEVNULL, stdout: int | None = None, **env: str
    ) -> None:
        self.process = self.spawn(stdin=stdin, stdout=stdout, **env)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait_end(self, within: float = LIMIT_S) -> int:
        """The exit code."""
        assert self.process is not None
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the daemon did not end within {within:g} s; {self.words()}")

    def words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def events(self) -> list[Event]:
        with open_reader(Place(self.data)) as reader:
            return [codec.decode(record) for record in reader.each(0)]

    def state(self) -> State:
        """The fold of the log; the first state while there is no store yet."""
        try:
            with open_reader(Place(self.data)) as reader:
                return fold(None, reader.each(0))
        except Fatal:
            return State()

    def until(self, done: Callable[[State], bool], what: str, within: float = LIMIT_S) -> State:
        found: list[State] = []

        def look() -> bool:
            found[:] = [self.state()]
            return done(found[0])

        self.poll(look, what, within)
        return found[0]

    def poll(self, done: Callable[[], bool], what: str, within: float = LIMIT_S) -> None:
        until = time.monotonic() + within
        while not done():
            if time.monotonic() > until:
                pytest.fail(f"waited {within:g} s for {what}; {self.words()}")
            if self.process is not None and self.process.poll() is not None:
                code = self.process.returncode
                pytest.fail(f"exit {code} while waiting for {what}; {self.words()}")
            time.sleep(POLL_S)

    def covered(self) -> State:
        """Wait for an open position with a live stop."""
        return self.until(_is_covered, "a covered position")

    def end(self) -> None:
        """Kill whatever was started here and still runs, an embedded exchange included."""
        for process in self.others:
            if process.poll() is None:
                process.kill()
                process.wait(10)
        exchange = self.exchange_pid()
        if exchange and b"exchange" in _command_of(exchange):
            os.kill(exchange, signal.SIGKILL)

    def exchange_pid(self) -> int:
        """Of the embedded exchange, by its address file; 0 when there is none."""
        try:
            text = (self.data / "exchange" / "address").read_text(encoding="utf-8")
        except FileNotFoundError:
            return 0
        return int(json.loads(text)["pid"])

    def books(self) -> "Books":
        return Books(self.data / "exchange" / "exchange.db")


def _is_covered(state: State) -> bool:
    position = state.position
    stops = [o for o in state.orders.values() if o.state == "untriggered" and not o.waiting]
    return position is not None and bool(stops) and not state.pending


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@dataclass
class Books:
    """What an exchange's journal says, read from outside."""

    path: Path

    def _read(self, query: str) -> list[dict[str, object]]:
        connection = apsw.Connection(str(self.path), apsw.SQLITE_OPEN_READONLY)
        try:
            return [json.loads(str(body)) for (body,) in connection.execute(query)]
        finally:
            connection.close()

    def position(self) -> Decimal:
        bodies = self._read("SELECT body FROM journal WHERE kind = 'position' ORDER BY n")
        return Decimal(str(bodies[-1]["size"])) if bodies else Decimal(0)

    def trades(self) -> list[dict[str, object]]:
        """Those of the account, oldest first."""
        return self._read("SELECT body FROM journal WHERE kind = 'trade' ORDER BY n")

    def live_stops(self) -> list[dict[str, object]]:
        newest: dict[object, dict[str, object]] = {}
        for order in self._read("SELECT body FROM journal WHERE kind = 'order' ORDER BY n"):
            newest[order["order_id"]] = order
        return [
            order
            for order in newest.values()
            if order["order_state"] == "untriggered" and order["order_type"] == "stop_market"
            and not order.get("is_secondary_oto")
        ]  # fmt: skip

    def protected(self) -> bool:
        """The position is covered by live stops."""
        amount = sum(Decimal(str(order["amount"])) for order in self.live_stops())
        return abs(self.position()) <= amount


@contextmanager
def exchange_process(directory: Path, *more: str) -> Iterator[str]:
    """An exchange of its own with the admin methods, and ``more`` options; gives its URL."""
    directory.mkdir(parents=True)
    command = [
        sys.executable, "-m", "tradebaas", "exchange", "--data", str(directory),
        "--speed", "300", "--seed", "3", "--idle-exit", "0", "--admin", *more,
    ]  # fmt: skip
    with (directory / "out").open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment(),
            start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + LIMIT_S
        address = directory / "address"
        while not address.exists():
            assert process.poll() is None, (directory / "out").read_text()
            assert time.monotonic() < until, "the exchange did not start"
            time.sleep(POLL_S)
        yield str(json.loads(address.read_text())["url"])
    finally:
        process.kill()
        process.wait(10)
