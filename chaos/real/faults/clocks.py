"""Steps of a wall clock, the daemon's or the exchange's, in both directions, and at a start.

No rule of the market and no timeout asks the daemon's own clock: it logs in, protects and closes by
the exchange's time. Only what people read is wrong meanwhile, so beyond a limit it opens nothing,
until the clocks agree again and the account was read since; below the limit nothing changes. When
the exchange's clock is set, whatever was known of it is wrong, and the next login asks anew.
"""

import signal
from collections.abc import Callable

from chaos.real.faketime import FakeTime
from chaos.real.fault import UNHELD, Act, Fault, Need
from chaos.real.scene import Scene
from tradebaas.actors.causes import SKEW

STEPS_S = (
    *("1", "-1", "50", "-50", "120", "-120", "3600", "-3600"),
    *("86400", "-86400", "31536000", "-31536000"),
)
"""A signed login is good for 60 s of difference."""
LOGIN_LIMIT_S = 10.0
SKEW_LIMIT_S = 30
"""The default of ``exchange.max_skew_seconds``."""
NOTICE_LIMIT_S = 3.0
LEAVE_LIMIT_S = 10.0

Whose = Callable[[Scene], FakeTime]


def _daemons(scene: Scene) -> FakeTime:
    return _there(scene.driver.stage.clock)


def _exchanges(scene: Scene) -> FakeTime:
    return _there(scene.driver.stage.exchange_clock)


def _there(clock: FakeTime | None) -> FakeTime:
    assert clock is not None, "whoever's clock it is has none of its own in this profile"
    return clock


def _step(whose: Whose) -> Act:
    return lambda scene: whose(scene).step(_drawn(scene))


def _set_right(whose: Whose) -> Act:
    def heal(scene: Scene) -> None:
        whose(scene).step(0)
        scene.mended()
        _leaves(scene)

    return heal


def _kill_and_step(scene: Scene) -> None:
    """The next process does not know another time."""
    scene.driver.kill_process()
    _daemons(scene).step(_drawn(scene))
    scene.struck_dead()
    scene.driver.start()


def _drawn(scene: Scene) -> int:
    offset = int(scene.driver.draw("clock steps", STEPS_S))
    scene.note(f"{offset:+d} s")
    return offset


def _guards(scene: Scene) -> None:
    """Nothing may be opened while the clocks are too far apart, and nothing is forbidden else."""
    stage = scene.driver.stage
    off = max(abs(clock.offset) for clock in (stage.clock, stage.exchange_clock) if clock)
    if off <= SKEW_LIMIT_S:
        scene.demand(SKEW not in scene.driver.peek().protect, "alive", f"guarded against {off} s")
        return
    good = scene.watch(NOTICE_LIMIT_S, lambda state: SKEW in state.protect)
    scene.demand(good, "gated", f"clocks {off} s apart were not noticed in {NOTICE_LIMIT_S:g} s")


def _leaves(scene: Scene) -> None:
    good = scene.watch(LEAVE_LIMIT_S, lambda state: SKEW not in state.protect)
    scene.demand(good, "alive", f"still guarded {LEAVE_LIMIT_S:g} s after the clocks were set")


def _kill_and_step_exchange(scene: Scene) -> None:
    """The exchange comes back at once, and tells another time."""
    scene.driver.exchange.signal(signal.SIGKILL)
    _exchanges(scene).step(_drawn(scene))
    scene.mended()
    scene.driver.start_exchange()
    scene.mended()


def _goes_on(scene: Scene) -> None:
    """The link is cut, so that it must log in again, under a clock that is wrong."""
    scene.driver.admin.call("admin/disconnect")
    _logs_in(scene)


def _logs_in(scene: Scene) -> None:
    good = scene.watch(LOGIN_LIMIT_S, scene.is_linked_anew)
    scene.demand(good, "alive", f"no new login within {LOGIN_LIMIT_S:g} s")
    _guards(scene)
    scene.busy(0.5)
    scene.stays_protected()


def _rises(scene: Scene) -> None:
    """Recovery is the same under any clock."""
    driver = scene.driver
    life = driver.state.life
    good = scene.watch(LOGIN_LIMIT_S, lambda s: s.life > life and s.life in driver.story.reports)
    scene.demand(good, "alive", f"not recovered within {LOGIN_LIMIT_S:g} s")
    _guards(scene)
    scene.busy(0.5)


def _skewed(says: str, inject: Act, lasting: Act, heal: Act) -> Fault:
    return Fault(says, inject, lasting, heal, needs=(Need.FAKETIME,), states=UNHELD)


FAULTS: dict[str, Fault] = {
    "clock-step": _skewed(
        "the wall clock jumps", _step(_daemons), _goes_on, _set_right(_daemons)
    ),
    "clock-start": _skewed(
        "started with a wrong clock", _kill_and_step, _rises, _set_right(_daemons)
    ),
    "exchange-clock-step": _skewed(
        "the exchange's wall clock jumps", _step(_exchanges), _goes_on, _set_right(_exchanges)
    ),
    "exchange-clock-start": _skewed(
        "the exchange is started again with a wrong clock",
        _kill_and_step_exchange, _logs_in, _set_right(_exchanges),
    ),
}  # fmt: skip
