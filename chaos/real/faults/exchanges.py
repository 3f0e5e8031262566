"""Harm to the exchange's process: killed and started again, or stopped for a while.

Its books survive, since it commits before it answers; its sessions do not. The daemon must neither
die of it nor trade without it, and must be back once it answers.
"""

import signal
import time

from chaos.real.fault import UNHELD, Fault
from chaos.real.scene import Scene

DOWN_S = ("0.1", "0.5", "1.5")
HUNG_S = ("0.5", "2", "6.5")
"""Seconds; a call to the exchange waits for 5."""
UP_LIMIT_S = 6.0
"""HTTP is up 3 s after the start, exchange or not."""


def _kill(scene: Scene) -> None:
    scene.driver.exchange.signal(signal.SIGKILL)


def _is_down(scene: Scene) -> None:
    """The daemon sees that nobody is there, and goes on living."""
    gone = scene.watch(5.0, lambda state: state.connection == 0)
    scene.demand(gone, "fail closed", "the loss of the connection was not noted within 5 s")
    scene.watch(float(scene.driver.draw("exchange down", DOWN_S)))


def _start(scene: Scene) -> None:
    """It answers before its driver knows: whoever was faster has recovered since its start."""
    scene.mended()
    scene.driver.start_exchange()
    scene.mended()


def _kill_both(scene: Scene) -> None:
    """The daemon first, so that it cannot note the end of the exchange."""
    scene.driver.kill_process()
    scene.driver.exchange.signal(signal.SIGKILL)
    scene.note(scene.driver.draw("who is first", ("exchange first", "daemon first")))


def _rises_alone(scene: Scene) -> None:
    """Started before its exchange, the daemon serves and says so, and trades nothing."""
    driver = scene.driver
    if "daemon first" not in scene.played.notes:
        return
    scene.struck_dead()
    driver.start()
    scene.watch(UP_LIMIT_S, lambda _: driver.has_api())
    answer = driver.api().get("/health")
    told = str(answer.body.get("checks", ""))
    scene.demand("not connected" in told, "fail closed", f"/health does not say it: {told}")
    scene.demand(driver.state.connection == 0, "fail closed", "a connection without an exchange")


def _stop(scene: Scene) -> None:
    scene.driver.exchange.signal(signal.SIGSTOP)


def _hangs(scene: Scene) -> None:
    seconds = float(scene.driver.draw("exchange hangs", HUNG_S))
    scene.note(f"{seconds:g} s")
    scene.watch(seconds)


def _go_on(scene: Scene) -> None:
    scene.driver.exchange.signal(signal.SIGCONT)
    scene.mended()
    time.sleep(0.05)


FAULTS: dict[str, Fault] = {
    "exchange-kill": Fault("the exchange is killed and started again", _kill, _is_down, _start,
                           states=UNHELD),
    "exchange-kill-both": Fault("exchange and daemon are killed", _kill_both, _rises_alone, _start,
                                states=UNHELD),
    "exchange-stop": Fault("the exchange hangs (SIGSTOP)", _stop, _hangs, _go_on,
                           states=UNHELD),
}  # fmt: skip
