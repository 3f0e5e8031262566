"""A rehearsal: the real daemon on a restored store, with an embedded exchange to meet.

Whose account the store belongs to does not matter then, so it is possible in the directory of a
``backup drill`` alone. Both processes are gone at the end, whatever happens in between.
"""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from tradebaas import embedded
from tradebaas.access import SECRET_VARIABLE
from tradebaas.commands.inspect import read_state
from tradebaas.config import EMBEDDED, EMBEDDED_INSTRUMENTS, Config
from tradebaas.core.state import State, managed_instrument
from tradebaas.errors import ConfigError
from tradebaas.runtime.ports import SystemClock
from tradebaas.store.backup import BackupFailed
from tradebaas.store.place import Place

MARK = "rehearsal"
"""A file that says: this directory is for a drill, and may meet an exchange of any account."""
LOG_NAME = "daemon.log"
SPEED = "60"
BOOT_LIMIT_S = 60.0
END_LIMIT_S = 20.0
POLL_S = 0.2
REAL = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", SECRET_VARIABLE)
"""Variables of the real daemon, which a rehearsal must not have."""
SETTINGS = """\
[exchange]
environment = "embedded"
url = "{url}"

[strategy]
instrument = "{instrument}"

[http]
port = 0
"""


def check_rehearsal(config: Config) -> None:
    """Refuse to rehearse anywhere but in the directory of a drill.

    Raises:
        ConfigError: it is none.
    """
    embedded_one = config.exchange.environment == EMBEDDED
    if not embedded_one or not (config.data_dir / MARK).exists():
        raise ConfigError(f"{config.data} is not the directory of a `backup drill`")


def cannot_reconcile(state: State) -> str:
    """Why the embedded exchange cannot stand in for the account; "" when it can."""
    instrument = managed_instrument(state)
    if instrument and instrument not in EMBEDDED_INSTRUMENTS:
        return f"not tried: the embedded exchange has no {instrument}"
    return ""


@asynccontextmanager
async def daemon_on(scratch: Place, state: State) -> AsyncIterator[trio.Process]:
    """The daemon on ``scratch``, with an exchange to meet; both are gone at the end."""
    config = Config(data=str(scratch.root))
    home = embedded.directory(config)
    home.mkdir()
    now_ms = max(SystemClock().wall_ms(), state.read_through_ms)  # what was played may be ahead
    venue = ("exchange", "--data", str(home), "--speed", SPEED, "--funding", "0",
             "--start-ms", str(now_ms))  # fmt: skip
    async with _child(scratch, "exchange.log", venue) as exchange:
        url = await _address(scratch, config, exchange)
        managed = managed_instrument(state)
        instrument = managed if managed in EMBEDDED_INSTRUMENTS else EMBEDDED_INSTRUMENTS[0]
        file = scratch.root / "tradebaas.toml"
        file.write_text(SETTINGS.format(url=url, instrument=instrument), encoding="utf-8")
        words = ("run", "--rehearse", "--config", str(file), "--data", str(scratch.root))
        async with _child(scratch, LOG_NAME, words) as process:
            yield process


@asynccontextmanager
async def _child(scratch: Place, log: str, words: Sequence[str]) -> AsyncIterator[trio.Process]:
    """``tradebaas WORDS`` as a process of its own; killed if it still runs at the end."""
    with (scratch.root / log).open("wb") as said:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "tradebaas", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={k: v for k, v in os.environ.items() if k not in REAL},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def _address(scratch: Place, config: Config, exchange: trio.Process) -> str:
    """Where the exchange listens, once it does.

    Raises:
        BackupFailed: It ended, or took too long; this says nothing of the backup.
    """
    for _ in range(int(BOOT_LIMIT_S / POLL_S)):
        found = embedded.find(config)
        if found is not None:
            return found.url
        if exchange.poll() is not None:
            break
        await trio.sleep(POLL_S)
    said = last_words(scratch, "exchange.log")
    raise BackupFailed(f"the exchange for the drill did not start: {said}")


async def booted(scratch: Place, before: State, process: trio.Process, problem: str) -> State:
    """Wait until the daemon has recovered, and reconciled where it can.

    Raises:
        BackupFailed: It ended, or took too long.
    """
    with trio.move_on_after(BOOT_LIMIT_S):
        while process.poll() is None:
            state = read_state(scratch.root)
            alive = state.life > before.life and state.life_open
            if alive and (problem or state.connection == state.reconciled != 0):
                return state
            await trio.sleep(POLL_S)
    what = "did not recover in time" if process.poll() is None else "ended"
    raise BackupFailed(f"the daemon on the restored store {what}: {last_words(scratch)}")


async def end(process: trio.Process) -> int:
    """Ask the daemon to end; its exit code.

    Raises:
        BackupFailed: It did not.
    """
    process.terminate()
    with trio.move_on_after(END_LIMIT_S):
        return await process.wait()
    raise BackupFailed(f"the daemon on the restored store did not end within {END_LIMIT_S:g} s")


def last_words(scratch: Place, name: str = LOG_NAME) -> str:
    """The last ones of a child."""
    log = scratch.root / name
    return log.read_text(encoding="utf-8", errors="replace").strip()[-800:]
