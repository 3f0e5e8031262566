"""Plays the part of systemd that the daemon talks to: NOTIFY_SOCKET, READY=1 and the watchdog.

Listens on a datagram socket in a thread of its own, so that what a busy driver takes late is not
counted as sent late, and notes who sent what when. Who has not sent WATCHDOG=1 for longer than the
interval, counted from READY=1, is overdue and gets what systemd would send: SIGABRT, and SIGCONT so
that a stopped process takes it. Nothing here decides when to look.
"""

import os
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

LARGEST = 4096
_CREDENTIALS = struct.Struct("iII")
_ALIVE = frozenset({"READY=1", "WATCHDOG=1"})


@dataclass(frozen=True, slots=True)
class Sign:
    """A datagram: monotonic seconds, who sent it, and the assignments in it."""

    at: float
    pid: int
    words: frozenset[str]


class Keeper:
    """The notification socket of one campaign; ``seconds`` is the watchdog's interval."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._folder = Path(tempfile.mkdtemp(prefix="tb-"))  # a socket's path must be short
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(self._folder / "notify"))
        self._signs: list[Sign] = []
        self._harmed: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon's environment must have; ``prologue`` adds its own pid."""
        usec = str(int(self.seconds * 1_000_000))
        return {"NOTIFY_SOCKET": str(self._folder / "notify"), "WATCHDOG_USEC": usec}

    prologue = "export WATCHDOG_PID=$$"
    """A shell command that runs in the process which then becomes the daemon."""

    def is_ready(self, pid: int) -> bool:
        """Whether the process has said that it is up."""
        return any("READY=1" in sign.words for sign in self._of(pid))

    def heard(self, pid: int, word: str) -> bool:
        """Whether the process has said something that begins so."""
        return any(
            said.startswith(word)
            for sign in tuple(self._signs)
            if sign.pid == pid
            for said in sign.words
        )

    def overdue(self, pid: int) -> bool:
        """Whether systemd would kill the process now."""
        return self.is_ready(pid) and time.monotonic() - self._of(pid)[-1].at > self.seconds

    def abort(self, pid: int) -> None:
        """Kill it as systemd does when the watchdog's time is over."""
        os.kill(pid, signal.SIGABRT)
        os.kill(pid, signal.SIGCONT)

    def harmed(self, begin: float, end: float) -> None:
        """A stretch in which nobody may expect a pat, since the process was being hurt."""
        self._harmed.append((begin, end))

    def longest_silence(self, pid: int) -> float:
        """The longest time without a pat since READY=1 until now, without stretches of harm."""
        signs = self._of(pid)
        ready = next((sign.at for sign in signs if "READY=1" in sign.words), None)
        if ready is None:
            return 0.0
        times = [ready, *(sign.at for sign in signs if sign.at > ready), time.monotonic()]
        return max(
            later - earlier - self._hurt(earlier, later) for earlier, later in pairwise(times)
        )

    def _hurt(self, begin: float, end: float) -> float:
        return sum(max(min(end, b) - max(begin, a), 0.0) for a, b in self._harmed)

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(1.0)
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _of(self, pid: int) -> list[Sign]:
        return [sign for sign in tuple(self._signs) if sign.pid == pid and sign.words & _ALIVE]

    def _listen(self) -> None:
        size = socket.CMSG_SPACE(_CREDENTIALS.size)
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(LARGEST, size)
            if not data and not ancillary:
                return
            for level, kind, raw in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    pid, _, _ = _CREDENTIALS.unpack(raw[: _CREDENTIALS.size])
                    words = frozenset(data.decode(errors="replace").splitlines())
                    self._signs.append(Sign(time.monotonic(), pid, words))
