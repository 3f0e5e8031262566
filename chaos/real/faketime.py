"""A wall clock for one process alone: libfaketime, steered by a file.

It has to be told three things: not to fake the monotonic clock, and with it every timeout; to read
the file each time; and not to translate the deadlines of condition variables, which it does wrongly
for those of Python's interpreter lock, so that threads would spin instead of waiting. Only the
process that it is for, daemon or exchange, and what it starts see it: the driver keeps the true
one.
"""

import subprocess
import sys
from pathlib import Path

PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
STEP_S = 86_400
PROBE_LIMIT_S = 20.0
_PROBE = "import time; print(int(time.time()), time.monotonic())"


def library() -> Path | None:
    """Where libfaketime lies, None when it is not installed."""
    found = (path for place in PLACES for path in sorted(Path("/").glob(place.lstrip("/"))))
    return next(found, None)


class FakeTime:
    """The wall clock of a process: the true one and ``offset`` seconds, which ``file`` says."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.offset = 0
        self.step(0)

    def step(self, offset: int) -> None:
        """From now on the clock is wrong by so many seconds."""
        self.offset = offset
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}\n", "ascii")
        fresh.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What the environment of the process must have."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }


def refusal(home: Path) -> str:
    """Why a wall clock of its own cannot be had here; "" when it can."""
    if library() is None:
        return "libfaketime is not installed (Debian: faketime)"
    clock = FakeTime(home / "faketime")
    try:
        true, mono = _times({})
        clock.step(STEP_S)
        wrong, mono_then = _times(clock.environment)
    except (subprocess.SubprocessError, ValueError) as error:
        return f"libfaketime does not work with this Python: {error}"
    if not STEP_S - 60 < wrong - true < STEP_S + 60:
        return f"libfaketime does not step the clock: by {wrong - true:.0f} s, not {STEP_S}"
    if not 0 < mono_then - mono < 60:
        return "libfaketime steps the monotonic clock too"
    return ""


def _times(extra: dict[str, str]) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], env=extra, capture_output=True, text=True, check=True,
        timeout=PROBE_LIMIT_S,
    )  # fmt: skip
    wall, mono = done.stdout.split()
    return float(wall), float(mono)
