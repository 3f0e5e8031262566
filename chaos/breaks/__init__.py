"""Deliberate breakages of the daemon, which the harness must catch.

Each module here has an ``apply()`` that replaces a piece of the real program in memory. They are
never part of it: only ``python -m chaos.broken NAME`` loads one, and then runs the usual command
line. A harness that cannot fail proves nothing.
"""

from importlib import import_module

BREAKS: dict[str, str] = {
    "ack-first": "chaos.breaks.ack_first",
    "resend": "chaos.breaks.resend",
    "forget-stop": "chaos.breaks.forget_stop",
    "no-sync": "chaos.breaks.no_sync",
}
REAL_BREAKS = ("ack-first", "resend", "forget-stop")
"""Those that a campaign on real processes can show."""
FSYNC_BREAKS = ("ack-first", "no-sync")
"""Those that a trace of system calls can show."""


def apply(name: str) -> None:
    """Break the program, in this process, as ``name`` says."""
    import_module(BREAKS[name]).apply()
