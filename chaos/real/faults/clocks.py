"""Steps of the wall clock, in both directions, while the daemon runs and at its start.

No rule of the market and no timeout asks the wall clock, so nothing may change: the daemon logs in
and trades by the exchange's time. Only what people read is wrong meanwhile.
"""

from chaos.real.faketime import FakeTime
from chaos.real.fault import UNHELD, Fault, Need
from chaos.real.scene import Scene

STEPS_S = (
    *("1", "-1", "50", "-50", "120", "-120", "3600", "-3600"),
    *("86400", "-86400", "31536000", "-31536000"),
)
"""A signed login is good for 60 s of difference."""
LOGIN_LIMIT_S = 10.0


def _clock(scene: Scene) -> FakeTime:
    clock = scene.driver.stage.clock
    assert clock is not None, "the profile has no clock of its own"
    return clock


def _step(scene: Scene) -> None:
    _clock(scene).step(_drawn(scene))


def _kill_and_step(scene: Scene) -> None:
    """The next process does not know another time."""
    scene.driver.kill_process()
    _clock(scene).step(_drawn(scene))
    scene.struck_dead()
    scene.driver.start()


def _drawn(scene: Scene) -> int:
    offset = int(scene.driver.draw("clock steps", STEPS_S))
    scene.note(f"{offset:+d} s")
    return offset


def _goes_on(scene: Scene) -> None:
    """The link is cut, so that it must log in again, under a clock that is wrong."""
    scene.driver.admin.call("admin/disconnect")
    good = scene.watch(LOGIN_LIMIT_S, scene.is_linked_anew)
    scene.demand(good, "alive", f"no new login within {LOGIN_LIMIT_S:g} s")
    scene.busy(0.5)
    scene.stays_protected()


def _rises(scene: Scene) -> None:
    """Recovery is the same under any clock."""
    driver = scene.driver
    life = driver.state.life
    good = scene.watch(LOGIN_LIMIT_S, lambda s: s.life > life and s.life in driver.story.reports)
    scene.demand(good, "alive", f"not recovered within {LOGIN_LIMIT_S:g} s")
    scene.busy(0.5)


def _set_right(scene: Scene) -> None:
    _clock(scene).step(0)
    scene.mended()


FAULTS: dict[str, Fault] = {
    "clock-step": Fault("the wall clock jumps", _step, _goes_on, _set_right,
                        needs=(Need.FAKETIME,), states=UNHELD),
    "clock-start": Fault("started with a wrong clock", _kill_and_step, _rises, _set_right,
                         needs=(Need.FAKETIME,), states=UNHELD),
}  # fmt: skip
