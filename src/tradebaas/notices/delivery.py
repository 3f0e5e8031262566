"""apprise itself: one notice to one address. Runs in a child process or a command, never in the
daemon: it blocks, takes long to import and keeps what it imported.
"""

import logging
from typing import final

import apprise

from tradebaas.notices.model import Parcel


@final
class _Kept(logging.Handler):
    """Keeps what apprise complains about; without a handler Python would print it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def deliver(address: str, parcel: Parcel) -> str:
    """Send it; "" when the service took it, else why not. The reason may quote the address."""
    asset = apprise.AppriseAsset(
        app_id="TradeBaas", app_desc="TradeBaas", app_url="", async_mode=False
    )
    sender = apprise.Apprise(asset=asset)
    kept, log = _Kept(), logging.getLogger("apprise")
    log.propagate = False
    log.addHandler(kept)
    try:
        if not sender.add(address):
            return "it is no address that apprise knows: see its list of services"
        sent = sender.notify(
            title=parcel.title,
            body=parcel.body,
            notify_type=apprise.NotifyType.FAILURE if parcel.urgent else apprise.NotifyType.INFO,
            body_format=apprise.NotifyFormat.TEXT,
        )
    finally:
        log.removeHandler(kept)
    return "" if sent else " ".join(" ".join(kept.said).split()) or "no reason was given"
