"""What the exchange does to everybody: sessions end, logins vanish, stores lag, doors close.

Doors close for moments of a client's time, however fast the exchange runs. Stores lag and shrink,
in exchange time, by as much as the protocol lets one expect: the recent store by less than the
queue bound of the proof of absence, the archive by minutes.
"""

from collections.abc import Callable

import msgspec

from chaos.world.faults_scene import Scene
from tradebaas.paper.config import Windows
from tradebaas.paper.terms import DAY_MS

MINUTE_MS = 60_000


def _drop_all(scene: Scene) -> str:
    """All connections are cut, without a word."""
    clients = scene.clients()
    for number in clients:
        scene.exchange.outbox.drop(number)
    return f"{len(clients)} connections cut" if clients else ""


def _revoke(scene: Scene) -> str:
    """All logins are forgotten: private calls are refused with 13009 until a new one."""
    count = scene.exchange.revoke_logins()
    return f"{count} logins revoked" if count else ""


def _silence(scene: Scene) -> str:
    """One channel of one connection falls silent: its subscription is dropped without a word."""
    return drop_channel(scene, "")


def _silence_account(scene: Scene) -> str:
    """Likewise, one that tells of the account."""
    return drop_channel(scene, "user.changes.")


def drop_channel(scene: Scene, prefix: str) -> str:
    """Drop one subscription of one connection, to a channel that begins so."""
    sessions = [scene.exchange.sessions[number] for number in scene.clients()]
    held = [(s, channel) for s in sessions for channel in s.channels if channel.startswith(prefix)]
    if not held:
        return ""
    session, channel = scene.rng.choice(held)
    del session.channels[channel]
    return f"{channel} fell silent on connection {session.number}"


def _maintenance(scene: Scene) -> str:
    """A maintenance is announced; when it begins, connections are closed and none is let in."""
    if scene.exchange.terms.maintenance is not None:
        return ""
    after_ms, for_ms = scene.stretch(0, 2_000), scene.stretch(100, 4_000)
    begins_ms = scene.exchange.now_ms + after_ms
    scene.exchange.plan_maintenance(begins_ms, begins_ms + for_ms)
    return f"maintenance in {after_ms} ms for {for_ms} ms"


def _settlement(scene: Scene) -> str:
    """The daily settlement begins now: orders cannot be changed for some seconds (10041)."""
    terms = scene.exchange.terms
    terms.settlement_at_ms = scene.exchange.now_ms % DAY_MS
    terms.settlement_ms = scene.stretch(50, 500)
    return f"settlement for {terms.settlement_ms} ms"


def _window(scene: Scene, **changes: int) -> str:
    terms = scene.exchange.terms
    windows: Windows = msgspec.structs.replace(terms.windows, **changes)
    terms.windows = windows
    return ", ".join(f"{name} = {value}" for name, value in changes.items())


def _recent_lags(scene: Scene) -> str:
    """What happened in the last seconds is not in the recent stores yet."""
    return _window(scene, recent_lag_ms=scene.rng.randint(200, 4_000))


def _archive_lags(scene: Scene) -> str:
    """What has left the recent stores is not in the archive for some minutes."""
    return _window(scene, archive_lag_ms=scene.rng.randint(1_000, 10 * MINUTE_MS))


def _orders_shrink(scene: Scene) -> str:
    """The recent store of orders reaches back less than half an hour."""
    return _window(scene, orders_ms=scene.rng.randint(1, 29) * MINUTE_MS)


def _trades_shrink(scene: Scene) -> str:
    """The recent store of trades reaches back less than a day."""
    return _window(scene, trades_ms=scene.rng.randint(1, 23) * 60 * MINUTE_MS)


ROWS: dict[str, Callable[[Scene], str]] = {
    "connections cut": _drop_all,
    "logins revoked": _revoke,
    "channel falls silent": _silence,
    "account's channel falls silent": _silence_account,
    "maintenance": _maintenance,
    "settlement": _settlement,
    "recent store lags": _recent_lags,
    "archive lags": _archive_lags,
    "recent orders shrink": _orders_shrink,
    "recent trades shrink": _trades_shrink,
}
