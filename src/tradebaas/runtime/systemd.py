"""Tells systemd how we are, by its datagram protocol (sd_notify(3)); says nothing when not asked.

A message that systemd does not take is no reason to stop trading: every method returns whether the
message was handed over, and the caller decides. Should the watchdog's messages get lost, systemd
kills and restarts the process, which is what the watchdog is for.
"""

from collections.abc import Mapping
from typing import final

from tradebaas.errors import ConfigError
from tradebaas.runtime.ports import SendDatagram


@final
class Notifier:
    """Sends state changes to the socket that ``NOTIFY_SOCKET`` in ``environ`` names, if any."""

    def __init__(self, environ: Mapping[str, str], send: SendDatagram) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._send = send

    @property
    def heard(self) -> bool:
        """Whether anybody wants to be told."""
        return bool(self._address)

    def ready(self) -> bool:
        """Start-up, or a reload, is finished."""
        return self._notify("READY=1")

    def status(self, text: str) -> bool:
        """One line for people: ``systemctl status`` shows it."""
        return self._notify("STATUS=" + " ".join(text.split()))  # a newline would end the field

    def stopping(self) -> bool:
        """An orderly end has begun."""
        return self._notify("STOPPING=1")

    def reloading(self, monotonic: float) -> bool:
        """A reload has begun; ``monotonic`` is ``Clock.monotonic()`` in seconds."""
        return self._notify(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}")

    def watchdog(self) -> bool:
        """Alive: restarts the watchdog's interval."""
        return self._notify("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> bool:
        """Ask for at least ``seconds`` more, from now, for the start, stop or run under way."""
        return self._notify(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def _notify(self, message: str) -> bool:
        if not self._address:
            return False
        try:
            self._send(self._address, message.encode())
        except OSError:
            return False
        return True


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds within which systemd expects a sign of life from process ``pid``; None if it doesn't.

    Send it at half this interval (sd_watchdog_enabled(3)).

    Raises:
        ConfigError: ``WATCHDOG_USEC`` is not a positive whole number.
    """
    usec = environ.get("WATCHDOG_USEC")
    if usec is None or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    if not usec.isdecimal() or int(usec) == 0:
        raise ConfigError(
            f"WATCHDOG_USEC in the environment is {usec!r}, not a positive whole number of "
            "microseconds: set WatchdogSec= in the unit, or unset the variable"
        )
    return int(usec) / 1_000_000
