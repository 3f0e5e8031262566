"""What the exchange's clock does against everybody else's: it drifts, and it is set.

Steps are of a client's time, however fast the exchange runs: they are to be as large beside the
time in which an order must arrive as they are at an exchange that runs at real speed. A scene
without such a clock has nothing to do it to.
"""

from collections.abc import Callable

from chaos.world.faults_scene import Scene
from chaos.world.skew import Leap

PPM = (50, 200, 500, 10_000)
"""A good quartz, a bad one, a machine whose clock is being corrected, and a broken one."""
STEP_MS = (20, 500)
LEAP_MS = (1_000, 3_000)


def _drift(scene: Scene) -> str:
    """The clock runs faster or slower from here on."""
    if scene.skew is None:
        return ""
    ppm = scene.rng.choice((1, -1)) * scene.rng.choice(PPM)
    scene.skew.drift(ppm)
    return f"{ppm:+d} ppm"


def _forward(scene: Scene) -> str:
    """The clock is set forward by less than an order may be on its way."""
    return _step(scene, scene.rng.randint(*STEP_MS))


def _back(scene: Scene) -> str:
    """The clock is set back by as much."""
    return _step(scene, -scene.rng.randint(*STEP_MS))


def _leap(scene: Scene) -> str:
    """The clock is set forward by more than an order may be on its way."""
    return _step(scene, scene.rng.randint(*LEAP_MS))


def _step(scene: Scene, by_ms: int) -> str:
    if scene.skew is None:
        return ""
    config, now_ms = scene.exchange.config, scene.exchange.now_ms
    if by_ms > 0:
        # The exchange has looked at its clock within a pause of its market.
        over_ms = (by_ms + config.market_pause_s * 1000) * config.speed
        scene.skew.leaps.append(Leap(now_ms, now_ms + round(over_ms)))
    scene.skew.step(by_ms / 1000)
    return f"{by_ms:+d} ms"


ROWS: dict[str, Callable[[Scene], str]] = {
    "exchange's clock drifts": _drift,
    "exchange's clock set forward": _forward,
    "exchange's clock set back": _back,
    "exchange's clock leaps": _leap,
}
