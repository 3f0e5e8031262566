"""SIGSTOP, for less and for more time than the watchdog allows.

The driver plays systemd: whoever is overdue with its pat is killed with SIGABRT and started again.
Meanwhile nobody looks after the position but the stop at the exchange.
"""

import signal
import time

from chaos.real.fault import Fault, Need
from chaos.real.keeper import Keeper
from chaos.real.scene import Scene


def _keeper(scene: Scene) -> Keeper:
    keeper = scene.driver.stage.keeper
    assert keeper is not None, "the profile has no watchdog"
    return keeper


def _stop(scene: Scene) -> None:
    """Not before it has said READY=1: until then systemd has its start timeout."""
    keeper, daemon = _keeper(scene), scene.driver.daemon
    ready = scene.watch(5.0, lambda _: keeper.is_ready(daemon.pid))
    scene.demand(ready, "alive", "no READY=1 within 5 s of its recovery")
    daemon.signal(signal.SIGSTOP)


def _is_overdue(scene: Scene) -> None:
    """As long as systemd waits; then it kills."""
    keeper, daemon = _keeper(scene), scene.driver.daemon
    limit = time.monotonic() + 2 * keeper.seconds
    while not keeper.overdue(daemon.pid) and time.monotonic() < limit:
        time.sleep(0.02)
    scene.stays_protected()
    if keeper.overdue(daemon.pid):
        scene.driver.forget_api()
        keeper.abort(daemon.pid)
        daemon.wait_dead(5.0)


def _go_on(scene: Scene) -> None:
    scene.driver.daemon.signal(signal.SIGCONT)
    scene.mended()


def _short(scene: Scene) -> None:
    time.sleep(_keeper(scene).seconds * scene.driver.rng.uniform(0.05, 0.35))
    scene.stays_protected()


FAULTS: dict[str, Fault] = {
    "sigstop": Fault("SIGSTOP until the watchdog kills", _stop, _is_overdue,
                     needs=(Need.WATCHDOG,)),
    "sigstop-short": Fault("SIGSTOP for less than the watchdog allows", _stop, _short, _go_on,
                           needs=(Need.WATCHDOG,)),
}  # fmt: skip
