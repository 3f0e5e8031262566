"""The two real processes: the exchange and the daemon; their start, death and last words.

Each runs in a process group of its own, and only pids that were started here are ever signalled.
The daemon can be started under strace, which kills it on entering its n-th fdatasync or send, and
with a mutant of ``chaos.mutants`` applied. Everything waited for has a deadline.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 20.0
STOP_LIMIT_S = 25.0
LOG_WORDS = 2_500

CONFIG = """\
data = {data}

[exchange]
environment = "embedded"
url = {url}

[strategy]
name = "ma_cross"
instrument = "BTC-PERPETUAL"
timeframe = "1m"
autostart = true

[strategy.parameters]
fast = 2
slow = 3
exponential = 0
atr_length = 3
stop_atr = "1.5"
reward = "2"

[risk]
risk_percent = "0.1"
slippage_percent = "0.2"
max_entries_per_day = 1000000
max_daily_loss_percent = 100

[store]
snapshot_every = {snapshot_every}
low_disk_mib = 1

[supervisor]
deaths = 1000000
period_seconds = 1.0
forgive_seconds = 0.0

[http]
port = 0
"""
"""The campaign's configuration: trades often and small; the restart budget is tested apart.

``forgive_seconds = 0`` makes every crew death the first one, so the backoff is zero and no life is
taken for a crash loop.
"""


class DidNotStart(Exception):
    """A process did not come up; the message has its last words."""


def environment() -> dict[str, str]:
    """The environment of child processes: they import this tree."""
    env = dict(os.environ)
    paths = [str(ROOT / "src"), str(ROOT), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # start-up time counts
    return env


@dataclass(frozen=True, slots=True)
class Point:
    """Where strace strikes: on entering the ``nth`` call of ``syscall``, counted by thread.

    It kills, and the call is not executed, or it does what ``what`` says in strace's own words, to
    calls on ``files`` alone if there are any.
    """

    syscall: str
    nth: int
    what: str = "signal=KILL"
    files: tuple[Path, ...] = ()

    def command(self, trace_file: Path) -> list[str]:
        inject = f"inject={self.syscall}:{self.what}:when={self.nth}"
        only = [word for file in self.files for word in ("-P", str(file))]
        # -D keeps the daemon our direct child, with its own pid.
        return [
            *("strace", "-D", "-f", "-qq", "-o", str(trace_file), *only),
            *("-e", f"trace={self.syscall}", "-e", inject, "--"),
        ]


@dataclass(slots=True)
class Exchange:
    """The embedded exchange, served with its admin methods.

    On a generated market at ``speed``, or replaying ``candles`` in lockstep; in an environment with
    ``extra``.
    """

    directory: Path
    seed: int = 1
    speed: float = 300.0
    candles: Path | None = None
    extra: dict[str, str] = field(default_factory=dict)
    port: int = 0
    url: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it and wait until it listens: at the port of the first time, from then on.

        Raises:
            DidNotStart.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        market = ["--speed", f"{self.speed:g}", "--seed", str(self.seed)]
        if self.candles is not None:
            market = ["--speed", "lockstep", "--candles", str(self.candles)]
        command = [
            *(sys.executable, "-m", "tradebaas", "exchange", "--admin", "--funding", "0"),
            *("--basis", "0", *market),  # a driver says where our stops are met
            *("--data", str(self.directory), "--idle-exit", "0", "--port", str(self.port)),
        ]
        log = self.directory / "exchange.log"
        self.process = _spawn(command, log, self.extra)
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until and self.process.poll() is None:
            address = _json(self.directory / "address")
            if address.get("pid") == self.process.pid:
                self.url = str(address["url"])
                self.port = urlsplit(self.url).port or 0
                return
            time.sleep(0.01)
        stop(self.process)
        raise DidNotStart(f"the exchange did not start; it said:\n{last_words(log)}")

    @property
    def journal(self) -> Path:
        return self.directory / "exchange.db"

    def signal(self, number: int) -> None:
        """Send it a signal; after a SIGKILL wait for its end."""
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10)

    def end(self) -> None:
        """Ask it to end."""
        if self.process is not None:
            stop(self.process)


@dataclass(slots=True)
class Daemon:
    """The daemon on one data directory, one process at a time. ``broken`` names a breakage.

    ``prologue`` are shell commands that the process runs before it becomes the daemon, in an
    environment with ``extra``; ``place`` is where its data lies, if not in ``home``.
    """

    home: Path
    broken: str = ""
    place: Path | None = None
    prologue: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    spawned_at: float = 0.0
    starts: int = 0
    kills: int = 0
    words_from: int = 0

    @property
    def data(self) -> Path:
        return (self.place or self.home) / "data"

    @property
    def configuration(self) -> Path:
        return self.home / "tradebaas.toml"

    @property
    def store(self) -> Path:
        return self.data / "tradebaas.db"

    @property
    def head(self) -> Path:
        return self.data / "head"

    @property
    def log(self) -> Path:
        return self.home / "daemon.log"

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    def configure(self, url: str, snapshot_every: int) -> None:
        """Write the configuration file and make the data directory."""
        self.data.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(
            data=json.dumps(str(self.data)), url=json.dumps(url), snapshot_every=snapshot_every
        )
        self.configuration.write_text(text, encoding="utf-8")

    def command(self) -> list[str]:
        """How the daemon is started, a breakage applied."""
        program = ["-m", "chaos.broken", self.broken] if self.broken else ["-m", "tradebaas"]
        return [
            *(sys.executable, *program, "run", "--chaos"),
            *("--config", str(self.configuration)),
        ]

    def start(self, prefix: list[str] | None = None, before: str = "") -> None:
        """Start a new process, perhaps under a tracer; does not wait for anything.

        ``before`` is a further command of its prologue, for this time only.
        """
        assert not self.running, "the daemon runs already"
        self.starts += 1
        with self.log.open("ab") as log:
            log.write(f"--- start {self.starts} ---\n".encode())
        self.spawned_at = time.monotonic()
        lines = [*self.prologue, *([before] if before else [])]
        shell = ["sh", "-ec", "\n".join([*lines, 'exec "$@"']), "sh"]
        command = [*(shell if lines else []), *(prefix or []), *self.command()]
        self.words_from = self.log.stat().st_size
        self.process = _spawn(command, self.log, self.extra)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL it and wait for its end; ``kills`` counts those that met a living process."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.kills += 1
        self.process.wait(10)

    def signal(self, number: int) -> None:
        """Send it a signal that it may survive."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait_dead(self, limit: float) -> bool:
        """Whether it died by itself within ``limit`` seconds."""
        assert self.process is not None
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Ask it to end in order, as systemd would."""
        if self.process is not None:
            stop(self.process)

    def words(self) -> str:
        """The end of its log."""
        return last_words(self.log)

    def said(self) -> str:
        """All that the present process, or the last one, has said."""
        with self.log.open("rb") as log:
            log.seek(self.words_from)
            return log.read().decode(errors="replace")

    def whole_log(self) -> str:
        """All of its log; "" when it never started."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM; SIGKILL when it does not end within ``STOP_LIMIT_S``."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def last_words(log: Path) -> str:
    """The end of a log file."""
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-LOG_WORDS:]
    except FileNotFoundError:
        return "(nothing)"


def _spawn(
    command: list[str], log: Path, extra: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**environment(), **extra},
            start_new_session=True,
        )


def _json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
