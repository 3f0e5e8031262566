"""Harm to the wire between daemon and exchange: cut, held back, lost, slow, refused, half open.

A relay does it byte by byte; where the machine permits it, the kernel drops and delays packets. All
the while the daemon must go on living, and what rests at the exchange must protect the position.
The market is moved meanwhile, so that there are orders to hurt.
"""

import subprocess
import time

from chaos.real.fault import UNHELD, Act, Fault, Need, nothing
from chaos.real.relay import Order, Shape, Way
from chaos.real.scene import Scene

RECONNECT_LIMIT_S = 10.0
NOTICE_LIMIT_S = 28.0
"""A link in which nothing moves is noticed after 20 s of silence, or by a call of 5 s before."""
LASTS = ("0.3", "1", "2.5", "6.5")
"""Seconds; a call to the exchange waits for 5."""
DELAY_S = 0.02
PASS = Shape()
NETEM = ("delay", "30ms", "20ms", "distribution", "pareto", "loss", "2%", "reorder", "5%")
RULES = """
table inet tb {
    chain in {
        type filter hook input priority 0;
        tcp dport %(port)d numgen random mod 100 < %(share)d drop
        tcp sport %(port)d numgen random mod 100 < %(share)d drop
    }
}
"""


def _order(scene: Scene, order: Order) -> None:
    wire = scene.driver.stage.wire
    assert wire is not None, "the profile has no relay"
    wire.order(order)


def _cut(scene: Scene) -> None:
    _order(scene, Order("cut"))
    scene.mended()


def _cut_inside(scene: Scene) -> None:
    """Within a chunk that goes up or down; where nothing goes, between two."""
    way: Way = "up" if scene.driver.draw("ways", ("up", "down")) == "up" else "down"
    after = scene.driver.rng.randint(0, 60)
    scene.note(f"{way}, after {after} bytes")
    _order(scene, Order("cut inside", way=way, after=after))
    if not scene.busy(3.0, scene.is_link_new):
        _order(scene, Order("cut"))
    scene.mended()


def _reconnects(scene: Scene) -> None:
    """The daemon comes back by itself, with a new connection."""
    good = scene.watch(RECONNECT_LIMIT_S, scene.is_linked_anew)
    scene.demand(good, "alive", f"no new connection within {RECONNECT_LIMIT_S:g} s")


def _shaped(up: str, down: str) -> Act:
    """Let bytes travel otherwise for a while."""

    def inject(scene: Scene) -> None:
        shapes = [
            Shape("pass") if mode == "pass" else Shape(mode, DELAY_S)  # type: ignore[arg-type]
            for mode in (up, down)
        ]
        _order(scene, Order("shape", up=shapes[0], down=shapes[1]))

    return inject


def _lasts(scene: Scene) -> None:
    """For a drawn time, with a market that moves."""
    seconds = float(scene.driver.draw("wire lasts", LASTS))
    scene.note(f"{seconds:g} s")
    scene.busy(seconds)
    scene.stays_protected()


def _pass(scene: Scene) -> None:
    _order(scene, Order("shape", up=PASS, down=PASS))
    _order(scene, Order("accept"))
    scene.mended()


def _half_open(scene: Scene) -> None:
    _order(scene, Order("half open"))


def _notices(scene: Scene) -> None:
    """Neither side is told anything: the daemon must find out by itself, and connect anew."""
    began = time.monotonic()
    good = scene.watch(NOTICE_LIMIT_S, scene.is_linked_anew)
    scene.demand(good, "alive", f"a dead link was not noticed within {NOTICE_LIMIT_S:g} s")
    scene.note(f"noticed after {time.monotonic() - began:.1f} s")
    scene.stays_protected()


def _refuse(scene: Scene) -> None:
    _order(scene, Order("refuse"))
    _order(scene, Order("cut"))


def _nobody_answers(scene: Scene) -> None:
    """Without an exchange nothing is traded, and the daemon says so instead of dying."""
    cut_off = scene.watch(5.0, lambda state: state.connection == 0)
    scene.demand(cut_off, "fail closed", "the loss of the connection was not noted within 5 s")
    entries = scene.entries()
    scene.busy(float(scene.driver.draw("refused", ("0.5", "1", "2"))))
    scene.demand(scene.entries() == entries, "fail closed", "an entry without a connection")
    scene.stays_protected()


# ------------------------------------------------------------------------- by the kernel itself


def _netem(scene: Scene) -> None:
    _system("tc", "qdisc", "add", "dev", "lo", "root", "netem", *NETEM)


def _no_netem(scene: Scene) -> None:
    _system("tc", "qdisc", "del", "dev", "lo", "root")
    scene.mended()


def _drop(scene: Scene) -> None:
    """A share of the packets to and from the exchange; TCP sends them again, later and later.

    Only those between daemon and relay: the driver's own talk with the exchange is not hurt.
    """
    wire, share = scene.driver.stage.wire, scene.driver.rng.randint(5, 30)
    port = wire.told.port if wire is not None else scene.driver.exchange.port
    scene.note(f"{share} % lost")
    _system("nft", RULES % {"port": port, "share": share})


def _no_drop(scene: Scene) -> None:
    _system("nft", "delete", "table", "inet", "tb")
    scene.mended()


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=10, start_new_session=True)


def _relayed(says: str, inject: Act, lasting: Act, heal: Act = nothing) -> Fault:
    return Fault(says, inject, lasting, heal, needs=(Need.RELAY,), states=UNHELD)


FAULTS: dict[str, Fault] = {
    "net-cut": _relayed("every connection is reset", _cut, _reconnects),
    "net-cut-inside": _relayed("reset inside a frame", _cut_inside, _reconnects),
    "net-refuse": _relayed("cut, and nobody answers", _refuse, _nobody_answers, _pass),
    "net-hold": _relayed("bytes stand still both ways", _shaped("hold", "hold"), _lasts, _pass),
    "net-hold-up": _relayed("bytes up stand still", _shaped("hold", "pass"), _lasts, _pass),
    "net-hold-down": _relayed("bytes down stand still", _shaped("pass", "hold"), _lasts, _pass),
    "net-lose": _relayed("bytes vanish both ways", _shaped("lose", "lose"), _lasts, _pass),
    "net-lose-up": _relayed("bytes up vanish", _shaped("lose", "pass"), _lasts, _pass),
    "net-lose-down": _relayed("bytes down vanish", _shaped("pass", "lose"), _lasts, _pass),
    "net-half-open": _relayed("dead, and nobody is told", _half_open, _notices, _pass),
    "net-delay": _relayed("late, with a heavy tail", _shaped("delay", "delay"), _lasts, _pass),
    "net-trickle": _relayed("in small pieces", _shaped("trickle", "trickle"), _lasts, _pass),
    "netem": Fault("tc netem: late, lost, reordered", _netem, _lasts, _no_netem,
                   needs=(Need.NETEM,), states=UNHELD),
    "net-drop": Fault("the kernel drops packets", _drop, _lasts, _no_drop,
                      needs=(Need.FIREWALL, Need.RELAY), states=UNHELD),
}  # fmt: skip
