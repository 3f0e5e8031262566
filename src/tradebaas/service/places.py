"""Where an installed daemon lies. Nothing here touches a disk."""

from pathlib import Path

USER = "tradebaas"
HOME = Path("/opt/tradebaas")
RELEASES = HOME / "releases"
CURRENT = HOME / "current"
"""A link to the release that runs."""
SETTINGS = Path("/etc/tradebaas")
CONFIG = SETTINGS / "tradebaas.toml"
SECRET = SETTINGS / "client-secret"
NOTICES = SETTINGS / "notice-urls"
STRATEGIES = SETTINGS / "strategies"
"""Strategies of one's own, files or packages: every release finds them here."""
STATE = Path("/var/lib")
DATA = STATE / "tradebaas"
LOGS = Path("/var/log/tradebaas")
WRAPPER = Path("/usr/local/bin/tradebaas")
"""The command for people, which leads to the release that runs."""
UNITS = Path("/etc/systemd/system")
DAEMON = "tradebaas.service"
INSTANCES = "tradebaas@*.service"
"""One daemon for each further account."""
EXCHANGE = "tradebaas-exchange.service"
TIMERS = ("tradebaas-verify.timer", "tradebaas-drill.timer")
"""What is enabled with the daemon; the audit's timer needs a key of its own first."""
PLAY_URL = "ws://127.0.0.1:8022/ws/api/v2"
"""Where the unit of the embedded exchange listens."""
PLAY_SECRET = "paper-secret"
"""That exchange's secret, which is none."""
