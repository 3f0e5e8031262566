"""Deaths of the process by SIGKILL and of single actors by the chaos endpoint.

The process is killed wherever a round has led it, at the very answer to a command, with a commit
held back, on its way up again, or under strace at its n-th sync or send; or, without having been
led anywhere, at a random instant of whatever it is doing.
"""

import time

from chaos.real import steer
from chaos.real.driver import Driver, Stuck
from chaos.real.fault import Act, Fault, Need
from chaos.real.lock import held_commit
from chaos.real.onlooker import looking
from chaos.real.processes import Point
from chaos.real.scene import Scene

ACTORS = ("strategy", "persister", "reconciler", "backups", "metrics")
TRACED_LIMIT_S = 2.5
MOST_TRACED = {"fdatasync": 12, "sendto": 40}
"""The n-th call at which strace kills is at most this one."""
INSTANTS = ("soon", "soon", "later", "later", "commit", "command", "close", "rising", "rising")


def _kill(scene: Scene) -> None:
    driver = scene.driver
    moment = driver.draw("moments", ("at once", "later"), ("at once",))
    time.sleep(driver.rng.random() * (0.02 if moment == "at once" else 0.4))
    driver.kill_process()
    scene.note(moment)


def _kill_at_answer(scene: Scene) -> None:
    _toggle(scene, 3.0)
    scene.driver.kill_process()


def _kill_in_commit(scene: Scene) -> None:
    driver = scene.driver
    driver.api()
    with looking(driver), held_commit(driver.daemon.store):
        _toggle(scene, 0.12)
        driver.kill_process()


def _toggle(scene: Scene, limit: float) -> None:
    """A command that is always allowed: start when stopped, stop when started."""
    driver = scene.driver
    path = "/api/strategy/stop" if driver.peek().armed else "/api/strategy/start"
    driver.command(path, {}, limit)


def _kill_again(scene: Scene) -> None:
    """A second SIGKILL soon after the restart."""
    driver = scene.driver
    driver.kill_process()
    steer.relax(driver)
    driver.start()
    time.sleep(0.05 + driver.rng.random() * 0.35)
    driver.kill_process()


def _kill_recovering(scene: Scene) -> None:
    """A second SIGKILL once the new life has begun."""
    driver = scene.driver
    driver.kill_process()
    steer.relax(driver)
    life = driver.state.life
    driver.start()
    driver.try_wait(lambda state: state.life > life, 5.0)
    time.sleep(driver.rng.random() * 0.15)
    driver.kill_process()


def _traced(syscall: str) -> Act:
    """Run under strace until it kills at its point, or for a while."""

    def inject(scene: Scene) -> None:
        driver = scene.driver
        driver.kill_process()
        steer.relax(driver)
        nth = driver.rng.randint(1, MOST_TRACED[syscall])
        scene.note(f"{syscall} {nth}")
        life = driver.state.life
        driver.start(Point(syscall, nth))
        until = time.monotonic() + TRACED_LIMIT_S
        while driver.daemon.running and time.monotonic() < until:
            state = driver.peek()
            if state.life > life and state.life in driver.story.reports:
                steer.jump(driver, steer.NUDGE if driver.rng.random() < 0.5 else -steer.NUDGE)
            time.sleep(0.05)
        if driver.daemon.running:
            scene.note("not reached")
            driver.kill_process()

    return inject


def _kill_anytime(scene: Scene) -> None:
    """At a random instant; or while the next process is rising, which then dies as well.

    A strategy that an earlier round stopped is started again, that there is something to kill. What
    it shows is read up to the last moment: a state that was shown must be there in the next life.
    """
    driver = scene.driver
    instant = driver.draw("instants", INSTANTS)
    if not driver.state.armed:
        driver.command("/api/strategy/start")
    scene.note(instant)
    with looking(driver):
        _await_instant(driver, scene, instant)
        driver.kill_process()


def _await_instant(driver: Driver, scene: Scene, instant: str) -> None:
    match instant:
        case "soon":
            time.sleep(driver.rng.random() * 0.05)
        case "later":
            driver.api()
            time.sleep(driver.rng.random() * 0.6)
        case "commit":
            seq = driver.peek().seq
            driver.try_wait(lambda state: state.seq > seq, 1.0)
            time.sleep(driver.rng.random() * 0.002)
        case "command":
            _toggle(scene, 3.0)
        case "close":
            driver.command("/api/strategy/stop", {"close": True})
            time.sleep(driver.rng.random() * 0.01)
        case _:
            driver.kill_process()
            driver.start()
            time.sleep(driver.rng.random() * 0.5)


# ----------------------------------------------------------------------------------------- actors


def _actor(*actors: str) -> Act:
    def inject(scene: Scene) -> None:
        scene.must_die = True
        _kill_actor(scene, scene.driver.draw(f"actors {actors}", actors))

    return inject


def _kill_actor(scene: Scene, actor: str) -> None:
    if not scene.driver.kill_actor(actor):
        raise Stuck(scene.driver.describe(f"the daemon did not take the kill of {actor}"))
    scene.mended()
    scene.note(actor)


def _actor_twice(scene: Scene) -> None:
    """A second one dies while the crew recovers: in the dying life, or in the next one."""
    driver = scene.driver
    _actor(*ACTORS)(scene)
    time.sleep(driver.rng.random() * 0.06)
    second = driver.draw("second actors", ACTORS)
    if driver.kill_actor(second):
        scene.mended()
        scene.note(f"then {second}")
        time.sleep(0.02)  # it may take a moment to die


FAULTS: dict[str, Fault] = {
    "sigkill": Fault("SIGKILL in a state", _kill),
    "sigkill-at-answer": Fault("SIGKILL at the answer to a command", _kill_at_answer),
    "sigkill-in-commit": Fault("SIGKILL with a commit held back", _kill_in_commit),
    "sigkill-again": Fault("SIGKILL, and again soon after the restart", _kill_again),
    "sigkill-recovering": Fault("SIGKILL, and again in the recovery", _kill_recovering),
    "sigkill-anytime": Fault("SIGKILL at a random instant", _kill_anytime, steered=False),
    "strace-fdatasync": Fault(
        "SIGKILL on entering the n-th fdatasync", _traced("fdatasync"), needs=(Need.STRACE,)
    ),
    "strace-sendto": Fault(
        "SIGKILL on entering the n-th send", _traced("sendto"), needs=(Need.STRACE,)
    ),
    "actor": Fault("the death of an actor", _actor(*ACTORS)),
    "actor-twice": Fault("a second actor dies in the recovery", _actor_twice),
    **{f"actor-{name}": Fault(f"the death of the {name}", _actor(name)) for name in ACTORS},
}
