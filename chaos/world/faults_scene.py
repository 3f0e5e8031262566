"""What a fault works on: one running exchange, its post, and the generator of all chance.

A scene belongs to one life of the exchange; the post may outlive it. The helpers here say what is
ours and what is the owner's, and never do anything that the exchange itself could not do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from chaos.world.faults_mail import Mail
from chaos.world.skew import Skew
from tradebaas.core.model import LABEL_PREFIX
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.faults import Kind, Rule
from tradebaas.paper.methods import METHODS
from tradebaas.paper.orders import Order
from tradebaas.paper.params import Refused
from tradebaas.paper.rpc import Front
from tradebaas.paper.terms import Terms

ORDER = frozenset({"private/buy", "private/sell"})
CANCEL = frozenset({"private/cancel"})
LOGIN = frozenset({"public/auth"})
READ = frozenset(name for name in METHODS if name.startswith(("private/get_", "public/get_"))) | {
    "public/ticker",
    "public/status",
    "private/subscribe",
}
SUBSCRIPTION = frozenset({"private/subscribe"})
SESSION = frozenset(
    {"public/hello", "public/set_heartbeat", "public/test", "private/disable_cancel_on_disconnect"}
)
EDIT = frozenset({"private/edit"})
TARGETS = {
    "order": ORDER,
    "cancel": CANCEL,
    "edit": EDIT,
    "read": READ,
    "login": LOGIN,
    "subscription": SUBSCRIPTION,
    "session": SESSION,
}
MAX_ARMED = 5
"""Faults that may wait for the calls of one target."""


def _untold() -> None:
    """Nobody counts."""


@dataclass
class Scene:
    """``instrument`` is the one that is traded, ``skew`` the exchange's clock if it can be set.

    ``struck`` is to be told whenever something strikes that was only armed by a row.
    """

    exchange: Exchange
    front: Front
    mail: Mail
    rng: Random
    instrument: str = "BTC-PERPETUAL"
    skew: Skew | None = None
    struck: Callable[[], None] = _untold

    @property
    def size(self) -> Decimal:
        """The position, signed."""
        return self.exchange.desk.account.positions[self.instrument].size

    @property
    def open(self) -> bool:
        """Whether anybody can trade now."""
        return self.exchange.terms.open(self.exchange.now_ms)

    def stretch(self, low_ms: int, high_ms: int) -> int:
        """A stretch of a client's own time, drawn, as exchange time: the exchange may run fast."""
        return self.rng.randint(low_ms, high_ms) * max(1, round(self.exchange.config.speed))

    def live(self, *, ours: bool) -> list[Order]:
        """Live orders that bear our prefix, or those that do not; waiting secondaries apart."""
        return [
            order
            for order in self.exchange.desk.live.values()
            if order.label.startswith(LABEL_PREFIX) is ours
            and not order.is_secondary
            and order.instrument_name == self.instrument
        ]

    def clients(self) -> list[int]:
        """The connections that are not a driver's."""
        return [session.number for session in self.exchange.sessions.values() if not session.admin]

    def own(self, method: str, **params: object) -> object | None:
        """Do something as the account's owner; None when it is refused, or nothing can be done."""
        if not self.open:
            return None
        try:
            return self.front.own(method, params)
        except Refused:
            return None

    def arm(
        self, kind: Kind, target: str, *, count: int = 1, error: Refused | None = None,
        delay_ms: int = 0, ends: bool = False,
    ) -> bool:  # fmt: skip
        """Arm a fault for the next calls of a target; False when enough are armed already."""
        faults, methods = self.front.faults, TARGETS[target]
        if sum(rule.methods == methods for rule in faults.rules) >= MAX_ARMED:
            return False
        faults.arm(Rule(kind, methods, {}, count, error, delay_ms, ends, self.struck))
        return True


Row = Callable[[Scene], str]
"""What is done to an exchange; says in a line what that was, "" for nothing."""


def quiet(scene: Scene) -> None:
    """End everything that is armed or lasting. Answers and calls that wait stay due."""
    scene.front.quiet()
    scene.mail.quiet()
    scene.exchange.terms.reset(Terms.of(scene.exchange.config))
    scene.exchange.matching.levels.thin_out("no", 0)
    scene.exchange.matching.levels.depth.clear()
    if scene.skew is not None:
        scene.skew.drift(0)
