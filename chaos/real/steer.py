"""Leads the daemon into a lifecycle state, by the means that its operator and its market have.

The exchange is told to hold back answers where a state would otherwise last for a millisecond, and
the market is nudged up and down, once per bar, where a signal is wanted: an alternating market
makes the averages cross with each candle. Each function returns when the committed state is the
wanted one; whatever is still held is let go by ``relax`` after the kill.
"""

import time
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

from chaos.real.admin import AdminRefused
from chaos.real.driver import POLL_S, STATE_LIMIT_S, Driver, Stuck
from tradebaas.core.model import Direction, Phase, Role
from tradebaas.core.state import State, live_orders

NUDGE = Decimal("0.003")
TICK = Decimal("0.5")
INSIDE_S = 0.08
"""After the open of a bar, which lasts 0.2 s at the campaign's speed."""
SIGNAL_TRIES = 12
ENTRY_CALLS = ("private/buy", "private/sell")
BRACKET = {"linked_order_type": "one_triggers_one_cancels_other"}


class Way(StrEnum):
    """How an order's answer is kept from the daemon."""

    HOLD = "held"
    SWALLOW = "swallowed"
    LOSE = "lost"
    PLAIN = "plain"


_ARM = {Way.SWALLOW: "admin/refuse_before", Way.LOSE: "admin/lose_answer", Way.HOLD: "admin/hold"}


def steer(driver: Driver, target: Phase) -> str:
    """Lead the daemon into ``target``; says how.

    Raises:
        Stuck: it does not get there in time.
    """
    driver.peek()
    return _WAYS[target](driver)


def relax(driver: Driver) -> None:
    """Let go of everything that is held at the exchange."""
    driver.admin.call("admin/release")


def _to_idle(driver: Driver) -> str:
    _free(driver)
    if driver.phase is not Phase.IDLE or driver.state.armed:
        driver.insist("/api/strategy/stop", {"close": True})
    driver.wait(lambda s: s.phase is Phase.IDLE, "IDLE after stop --close")
    return "stopped"


def _to_analyzing(driver: Driver) -> str:
    _arm(driver)
    for _ in range(SIGNAL_TRIES):
        flatten(driver)
        if driver.try_wait(lambda s: s.phase is Phase.ANALYZING, 0.2):
            return "waiting"
    raise Stuck(driver.describe(f"not at rest in ANALYZING in {SIGNAL_TRIES} tries"))


def _to_open(driver: Driver) -> str:
    _arm(driver)
    _nudge_until(driver, lambda s: s.phase is Phase.POSITION_OPEN, "POSITION_OPEN")
    return "open"


def _to_entering(driver: Driver) -> str:
    _arm(driver)
    way = _draw_way(driver, "entry")
    flatten(driver)
    if way in _ARM:
        for method in ENTRY_CALLS:
            driver.admin.call(_ARM[way], method=method, params_match=BRACKET)
    known = len(driver.story.intents)
    # The state itself may be over before it is seen.
    _nudge_until(driver, lambda _: len(driver.story.intents) > known, "an entry")
    if way is Way.HOLD:
        time.sleep(driver.rng.choice((0.0, 0.005, 0.03)))  # before or after it reaches the exchange
    return f"answer {way}"


def _to_closing(driver: Driver) -> str:
    _arm(driver)
    _nudge_until(driver, lambda s: s.phase is Phase.POSITION_OPEN, "POSITION_OPEN")
    driver.api()
    way = _draw_way(driver, "close")
    if way in _ARM:
        for method in ENTRY_CALLS:
            driver.admin.call(_ARM[way], method=method, params_match={"reduce_only": True})
    path, body = driver.rng.choice(
        (
            ("/api/position/close", {}),
            ("/api/strategy/stop", {"close": True}),
            ("/api/halt", {"reason": "chaos"}),
        )
    )
    driver.insist(path, dict(body))
    driver.peek()
    return f"{path}, answer {way}"


def _to_signal(driver: Driver) -> str:
    """Armed on a cross candle while no login is answered: the signal waits for its permit."""
    for _ in range(SIGNAL_TRIES):
        _to_idle(driver)
        _nudge_bars(driver, 3)
        driver.admin.call("admin/hold", method="public/auth")
        driver.admin.call("admin/disconnect")
        driver.wait(lambda s: s.connection == 0, "the end of the connection")
        driver.insist("/api/strategy/start")
        if driver.try_wait(lambda s: s.phase is Phase.SIGNAL_DETECTED, 0.15):
            return "login held"
        relax(driver)
        driver.wait(lambda s: 0 < s.connection == s.reconciled, "a reconcile after the release")
    raise Stuck(driver.describe(f"no signal waited in {SIGNAL_TRIES} tries"))


_WAYS: dict[Phase, Callable[[Driver], str]] = {
    Phase.IDLE: _to_idle,
    Phase.ANALYZING: _to_analyzing,
    Phase.SIGNAL_DETECTED: _to_signal,
    Phase.ENTERING_POSITION: _to_entering,
    Phase.POSITION_OPEN: _to_open,
    Phase.CLOSING: _to_closing,
}


# ---------------------------------------------------------------------------------------- the parts


def _draw_way(driver: Driver, kind: str) -> Way:
    """How the next answer of this kind is kept from the daemon; the first one is held."""
    return Way(driver.draw(f"{kind} answers", (Way.HOLD, *Way), (Way.HOLD,)))


def _arm(driver: Driver) -> None:
    """Have a strategy armed, and nothing halted."""
    _free(driver)
    if not driver.state.armed:
        driver.insist("/api/strategy/start")
        driver.wait(lambda s: s.armed, "the strategy to be armed")


def _free(driver: Driver) -> None:
    """Lift a halt that an earlier round left; its close must be done first."""
    if driver.state.halted is None:
        return
    driver.wait(lambda s: s.phase in (Phase.IDLE, Phase.ANALYZING), "the close after a halt")
    driver.insist("/api/resume")
    driver.wait(lambda s: s.halted is None, "the end of the halt")


def flatten(driver: Driver) -> None:
    """Have no position: gap the market through the stop or the take profit of an open one."""
    until = time.monotonic() + STATE_LIMIT_S
    while driver.peek().phase not in (Phase.ANALYZING, Phase.IDLE):
        if time.monotonic() > until:
            raise Stuck(driver.describe("the position did not close though the market gapped"))
        if driver.phase is Phase.POSITION_OPEN and _gap_through(driver):
            driver.try_wait(lambda s: s.position is None, 0.3)
        time.sleep(POLL_S)
        driver.insist_running()


def _gap_through(driver: Driver) -> bool:
    """Gap just beyond a live stop or take profit; False when there is none."""
    exits = live_orders(driver.state, Role.STOP, Role.TAKE)
    if not exits:
        return False
    order = driver.rng.choice(exits)
    level = order.trigger_price or order.price
    assert level is not None
    # A stop that buys and a take that sells are met by a rise.
    rises = (order.role is Role.STOP) == (order.direction is Direction.BUY)
    move_to(driver, level * (1 + (NUDGE if rises else -NUDGE)))
    return True


def jump(driver: Driver, share: Decimal) -> None:
    """Gap the market by a share of its price, and leave it there."""
    move_to(driver, driver.admin.price() * (1 + share))


def move_to(driver: Driver, price: Decimal) -> None:
    """Gap the market to about ``price``."""
    try:
        driver.admin.call("admin/price", price=(price / TICK).to_integral_value() * TICK)
    except AdminRefused as refused:
        raise Stuck(driver.describe(f"the market cannot be moved: {refused}")) from refused


def _nudge_until(driver: Driver, done: Callable[[State], bool], what: str) -> None:
    """Make a signal likely with each bar until the state satisfies ``done``.

    The market is moved inside the bar: at its open, the entry of the last signal is on its way.
    """
    until = time.monotonic() + STATE_LIMIT_S
    bar, due, sign = driver.admin.bar(), time.monotonic(), 1
    while not done(driver.peek()):
        now = time.monotonic()
        if now > until:
            raise Stuck(driver.describe(f"waited {STATE_LIMIT_S:g} s for {what}"))
        if driver.admin.bar() != bar:
            bar, due = driver.admin.bar(), now + INSIDE_S
        if now >= due and driver.phase in (Phase.ANALYZING, Phase.IDLE):
            jump(driver, sign * NUDGE)
            due, sign = until, -sign
        driver.insist_running()
        time.sleep(POLL_S)


def _nudge_bars(driver: Driver, count: int) -> None:
    """Alternate the market for ``count`` bars, and return just after one has closed."""
    bar, sign = driver.admin.bar(), 1
    for _ in range(count + 1):
        while (now := driver.admin.bar()) == bar:
            time.sleep(POLL_S)
        bar = now
        jump(driver, sign * NUDGE)
        sign = -sign
