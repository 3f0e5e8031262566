"""Finds or starts the embedded exchange, which is always a process of its own.

Its stops must fire while the daemon is dead, so it runs in its own session, outlives the daemon's
death, and is reused by the next start. A clean stop of the daemon stops it too, and without clients
it ends by itself. Where it listens is in its address file, which is read anew for every connection,
by a thread: a disk that stalls must not stop the loop.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import trio
from msgspec import Struct

from tradebaas.access import denial
from tradebaas.config import HOSTS, Config
from tradebaas.errors import StoreFault, Unusable
from tradebaas.runtime.ports import Blocking, Locate, Ports, always

START_LIMIT_S = 20.0
POLL_S = 0.01
CHECK_EVERY_S = 1.0
LOG_NAME = "exchange.log"


class Address(Struct, frozen=True):
    """Where a living exchange listens."""

    url: str
    pid: int


def directory(config: Config) -> Path:
    """The exchange's own directory, beside the daemon's store."""
    return config.data_dir / "exchange"


def find(config: Config) -> Address | None:
    """The living exchange of this data directory, or None.

    Raises:
        Unusable, StoreFault: its files cannot be read.
    """
    home = directory(config)
    with _explained(home):
        try:
            address = msgspec.json.decode((home / "address").read_bytes(), type=Address)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):  # it names nobody
            return None
        return address if _holder(home / "lock") == str(address.pid).encode() else None


@contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Say what an error of the system means for the exchange's directory."""
    try:
        yield
    except PermissionError as error:
        raise Unusable(denial(Path(error.filename or home))) from error
    except OSError as error:
        raise StoreFault(
            f"the embedded exchange's directory {home} cannot be used ({error}): look at the disk "
            "and at what lies there, then start again"
        ) from error


def url_of(config: Config) -> str:
    """The exchange's present URL, "" while there is none.

    Raises: as ``find``.
    """
    address = find(config)
    return address.url if address else ""


def locate(config: Config, ports: Ports) -> Locate:
    """Where the exchange of a configuration is, for those who trade: another one never moves."""
    exchange = config.exchange
    if not config.embedded_exchange:
        return always(exchange.url or HOSTS[exchange.environment])

    async def url() -> str:
        async with ports.open_blocking("exchange") as worker:
            return await worker.run(url_of, config)

    return url


async def ensure(config: Config, worker: Blocking) -> None:
    """Start the exchange unless it lives, and wait until it listens.

    The address of a dead one stays until the new one writes its own: ``find`` does not take it for
    a living one's. Where the new one is refused, because somebody else was quicker, or the old one
    lives after all, that one's address is waited for, as long as it holds the lock.

    Raises:
        Unusable: it did not come up; the message has its last words, or whose its directory is.
        StoreFault: its directory cannot be written.
    """
    if await worker.run(find, config) is not None:
        return
    process, lock = await worker.run(_spawn, config), directory(config) / "lock"
    for _ in range(int(START_LIMIT_S / POLL_S)):
        if await worker.run(find, config) is not None:
            return
        if process.poll() is not None and await worker.run(_holder, lock) is None:
            break
        await trio.sleep(POLL_S)
    words = await worker.run(_last_words, config)
    raise Unusable(f"the embedded exchange did not start; it said:\n{words}")


def _last_words(config: Config) -> str:
    log = directory(config) / LOG_NAME
    return log.read_text(encoding="utf-8", errors="replace")[-800:]


def _spawn(config: Config) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that no signal to the daemon's group reaches it."""
    home = directory(config)
    with _explained(home):
        home.mkdir(parents=True, exist_ok=True)
        log = (home / LOG_NAME).open("ab")
    with log:
        return subprocess.Popen(
            _command(config),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


async def keep(config: Config, ports: Ports) -> None:
    """Start the exchange unless it lives, and again whenever it is gone.

    Raises: as ``ensure``.
    """
    async with ports.open_blocking("exchange") as worker:
        while True:
            await ensure(config, worker)
            await trio.sleep(CHECK_EVERY_S)


def stop(config: Config) -> None:
    """Ask the exchange to end; it finishes its journal by itself."""
    address = find(config)
    if address is not None:
        os.kill(address.pid, signal.SIGTERM)


def _command(config: Config) -> list[str]:
    settings = config.embedded
    command = [sys.executable, "-m", "tradebaas", "exchange", "--data", str(directory(config))]
    command += ["--speed", str(settings.speed), "--seed", str(settings.seed)]
    command += ["--idle-exit", str(settings.idle_exit_seconds)]
    if settings.candles:
        command += ["--candles", settings.candles, "--history", str(settings.history)]
    return command


def _holder(lock: Path) -> bytes | None:
    """What the process that holds the exchange's lock says who it is, None where none holds it.

    A pid by itself proves nothing: after a crash it may be a zombie's, or another program's.
    """
    try:
        file = lock.open("rb")  # spoilt, it may be no text
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip()
        return None
