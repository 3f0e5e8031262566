"""Talks to the running daemon over HTTP, and says whether one is running.

Where it answers is in ``data/address``, the token for commands in ``data/token``. Whether a daemon
runs at all is told by its lock: HTTP comes a little after the process and may die before it.
"""

import os
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from tradebaas.commands.common import NotDone
from tradebaas.commands.starting import start_command
from tradebaas.config import Config

TIMEOUT_SECONDS = 15.0
UNAVAILABLE = 503


class Address(Struct, frozen=True):
    """The content of ``data/address``."""

    http: str
    pid: int


class Unreachable(NotDone):
    """No daemon answers for this data directory."""


class Reply(Struct, frozen=True):
    """What the daemon answered: the HTTP status and the JSON object."""

    status: int
    body: dict[str, object]

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def error(self) -> str:
        return str(self.body.get("error", f"HTTP status {self.status}"))


def get(config: Config, path: str) -> Reply:
    """Read ``path`` from the daemon of this data directory.

    Raises:
        Unreachable: No daemon answers.
    """
    return _request(config, "GET", path, None, {})


def post(config: Config, path: str, body: object) -> Reply:
    """Send a command to the daemon of this data directory.

    Raises:
        Unreachable: No daemon answers.
    """
    headers = {"Authorization": f"Bearer {_token(config)}"}
    return _request(config, "POST", path, msgspec.json.encode(body), headers)


def command(config: Config, path: str, body: object) -> Reply:
    """Send a command that must be carried out.

    Raises:
        Unreachable: No daemon answers.
        NotDone: It refused, or could not; the message says why.
    """
    reply = post(config, path, body)
    if not reply.ok:
        raise NotDone(reply.error)
    return reply


def lock_holder(data_dir: Path) -> str:
    """Who holds the lock of the data directory now, in words; "" when nobody does.

    Only looks: taking the lock to find out could make a daemon that starts just then refuse.
    """
    path = data_dir / "lock"
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return ""
    for line in locks.splitlines():
        fields = line.split()  # "1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF"
        if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
            return f"process {fields[4]}"
    return ""


def _request(
    config: Config, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Reply:
    address = _address(config)
    try:
        response = httpx.request(
            method,
            f"{address.http}{path}",
            content=body,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,  # a proxy has no business between two processes of one machine
        )
        return Reply(response.status_code, msgspec.json.decode(response.content, type=dict))
    except (httpx.HTTPError, msgspec.DecodeError) as error:
        raise _unreachable(config, f"{address.http} does not answer ({error})") from error


def _address(config: Config) -> Address:
    path = config.data_dir / "address"
    try:
        address = msgspec.json.decode(path.read_bytes(), type=Address)
    except FileNotFoundError as error:
        raise _unreachable(config, f"there is no {path}") from error
    except (OSError, msgspec.DecodeError) as error:
        raise _unreachable(config, f"{path} cannot be read ({error})") from error
    if not _alive(address.pid):
        raise _unreachable(config, f"process {address.pid} of {path} is gone")
    return address


def _unreachable(config: Config, why: str) -> Unreachable:
    holder = lock_holder(config.data_dir)
    if holder:
        return Unreachable(
            f"{holder} runs on {config.data} but its HTTP does not answer: {why}. It may be "
            "starting; try again, and look at its log if it stays so"
        )
    start = start_command(config.data_dir)
    return Unreachable(
        f"no daemon runs on {config.data}: {why}. Start one with `{start}`, or name another data "
        "directory with --data"
    )


def _token(config: Config) -> str:
    path = config.data_dir / "token"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""  # no daemon was ever here: the request that follows says so
    except OSError as error:
        raise NotDone(
            f"cannot read the token in {path} ({error.strerror}): run this as root, or as the "
            "user that runs the daemon"
        ) from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
