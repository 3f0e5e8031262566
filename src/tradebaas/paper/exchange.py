"""The exchange itself: moves the market, executes what that sets off, tells and records it.

Pure: no clock, no socket, no file. Time comes in with every call and never runs backwards; what
happened goes out through ``take_step``: journal records, rows to remember, frames to send. The
caller must make a step durable before it sends the step's frames. Each execution is one event:
its orders, trades, position and stop are recorded with one time, and the account is told before
the candle that it happened in is closed.
"""

from collections.abc import Callable
from decimal import Decimal, localcontext

from tradebaas.paper import families, liquidation
from tradebaas.paper.accounts import Account, account_number, overdrawn
from tradebaas.paper.basis import Basis
from tradebaas.paper.candles import MINUTE_MS
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.desk import Desk
from tradebaas.paper.display import Display
from tradebaas.paper.instruments import CONTEXT, Wire
from tradebaas.paper.keys import AccountConfig
from tradebaas.paper.market import Market
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import FIRST_USER_ID
from tradebaas.paper.outbox import Outbox
from tradebaas.paper.recorder import Recorder, Step
from tradebaas.paper.saved import MAIN, SavedAccount, SavedState
from tradebaas.paper.sessions import LOOPBACK, Gate, Proof, Session
from tradebaas.paper.tape import Stand, Tape
from tradebaas.paper.terms import Terms

MAX_EVENTS_PER_MOVE = 10_000
MAX_ABSENCE_MS = 7 * 24 * 60 * MINUTE_MS
"""Played after the fact; a start may not take longer than a client waits for it."""


class Exchange:
    """One market, its accounts, any number of connections.

    ``desks`` has the accounts by name; ``desk`` is the main one's.
    """

    def __init__(
        self, config: ExchangeConfig, market: Market, saved: SavedState | None,
        new_token: Callable[[], str],
    ) -> None:  # fmt: skip
        self.config = config
        first = market.bar(market.live)
        assert first is not None, "a market has at least one bar"
        basis = Basis(config.basis * first.open, config.seed)
        self.tape = Tape(market, saved.tape if saved else None, basis)
        if saved is None:
            saved = SavedState(source=market.name, tape=self.tape.state)
        known = {account.name for account in saved.accounts}
        saved.accounts += [
            _new_account(wanted, account_number(new_token()), len(known) + more)
            for more, wanted in enumerate(a for a in config.every_account if a.name not in known)
        ]
        self.saved = saved
        made = [Desk(a, saved.counters, config.remembered, saved.tape) for a in saved.accounts]
        self.desks = {desk.name: desk for desk in made}
        self.desk = self.desks[MAIN]
        by_id = {desk.user_id: desk for desk in made}
        self.terms = Terms.of(config)
        if saved.settled_ms is None:
            saved.settled_ms = self.terms.last_settlement(saved.tape.now_ms)
        fees = config.maker_fee, config.taker_fee
        self.matching = Matching(by_id, self.tape, self.terms, *fees)
        self.matching.levels.depth = saved.depth
        clock, rate = self.tape.state, config.rate
        self.gate = Gate(config.every_key, config.token_ttl_s, new_token, clock, rate)
        self.outbox = Outbox()
        self.sessions = self.outbox.sessions
        self.display = Display(self.matching, self.terms, self.outbox, config.rate)
        self.recorder = Recorder(saved, self.matching, self.display)
        for desk in made:
            if desk.name not in known:
                self.recorder.open_account(desk)
        self._stands = False
        self._shut = False
        self.paused = False
        self._owes_bar = False

    # -- time and the market ------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Return the exchange time."""
        return self.tape.state.now_ms

    def set_now(self, now_ms: int) -> None:
        """Let time pass without moving the market; an earlier time is ignored. Each day that is
        over is settled at its own end, whenever it is noticed."""
        while (due_ms := self.terms.day_end(self.now_ms)) <= now_ms:
            self._pass(due_ms)
            self._end_day()
        self._pass(now_ms)

    def _pass(self, now_ms: int) -> None:
        """Let time pass within a day."""
        before_ms, now_ms = self.now_ms, max(self.now_ms, now_ms)
        if self.terms.funding.pays:
            share = self.terms.funding.between(before_ms, now_ms)
            for desk in self.desks.values():
                for position in desk.account.positions.values():
                    position.accrue(share, self.tape.mark)
        self.tape.state.now_ms = now_ms

    def advance(self, to_ms: int) -> None:
        """Move the market along its path until ``to_ms`` (paced mode), if the books are open."""
        self._keep_hours(to_ms)
        if not self.terms.open(to_ms):
            self._stands = True
            self.set_now(to_ms)
            self._end_day()
            self.display.feeds.tell_state()
            return
        if self._stands:
            self._stands = False
            self._reopen(to_ms)
        while not self.tape.ended:
            _, end_ms = self.tape.leg_end()
            if end_ms > to_ms:
                if to_ms > self.now_ms:
                    self._move(self.tape.price_at(to_ms), to_ms)
                    self.display.tell()
                break
            self._finish_leg()
        self.set_now(to_ms)
        self.check_margin()

    def catch_up(self, to_ms: int) -> None:
        """Have the market go on as if the exchange had been there all the time, minute by minute;
        after a longer absence it opens with a gap, as after a maintenance."""
        played_ms = min(to_ms, self.now_ms + MAX_ABSENCE_MS)
        while self.now_ms < played_ms:
            self.advance(min(self.now_ms + MINUTE_MS, played_ms))
        if self.now_ms < to_ms:
            self._reopen(to_ms)
            self._end_day()

    def play_bar(self) -> None:
        """Play the running bar to its close and open the next one (lockstep)."""
        bar = self.tape.state.bar
        while not self.tape.ended and self.tape.state.bar == bar:
            self._finish_leg()
        self.check_margin()

    def owe_bar(self) -> None:
        """Play the running bar now, or as soon as the exchange is no longer paused."""
        self._owes_bar = True
        if not self.paused:
            self._pay_bar()

    def resume(self) -> None:
        """End a pause."""
        self.paused = False
        if self._owes_bar:
            self._pay_bar()

    def _pay_bar(self) -> None:
        self._owes_bar = False
        self.play_bar()

    def shock(self, price: Decimal) -> None:
        """Gap the market to ``price``; it goes on from there."""
        before = self.tape.stand
        self.tape.shock(price)
        self._execute_gap(before)
        self.display.tell()

    def _reopen(self, to_ms: int) -> None:
        """Gap to where the market has got to while the books were closed."""
        self.set_now(to_ms)  # days end where the market stood
        before = self.tape.stand
        self.tape.skip(to_ms)
        self._execute_gap(before)
        self.display.tell()

    def check_margin(self, only: Desk | None = None) -> bool:
        """Liquidate a step of what an account can no longer carry; return whether any was due.

        ``only`` names one account whose turn it is.
        """
        due = [
            (desk, currency)
            for desk in ([only] if only is not None else self.desks.values())
            for currency in overdrawn(desk.account, self.tape.mark, self.terms.margin)
        ]
        for desk, currency in due:
            liquidation.liquidate(self.matching, desk, currency)
            self.settle()
        return bool(due)

    def _finish_leg(self) -> None:
        price, end_ms = self.tape.leg_end()
        self._move(price, end_ms)
        self.tape.end_leg()
        self.display.tell()
        if self.tape.state.leg == 3:
            self._open_next_bar()

    def _open_next_bar(self) -> None:
        self._end_day()
        before = self.tape.stand
        self.tape.state.price = self.tape.next_open()
        self.tape.open_next()
        self._execute_gap(before)
        self.display.tell()

    def _move(self, to: Decimal, end_ms: int) -> None:
        """Move to the end of a way, by way of the end of the day if that lies on it."""
        if (due_ms := self.terms.day_end(self.now_ms)) <= end_ms:
            self._walk(self.tape.price_at(due_ms), due_ms)
            self._end_day()
        self._walk(to, end_ms)

    def _walk(self, to: Decimal, end_ms: int) -> None:
        """Move there; trade by trade while the price of the last one is waited for."""
        while self.matching.watches_last() and self.tape.next_print_ms() < end_ms:
            print_ms = self.tape.next_print_ms()
            self._go(self.tape.price_at(print_ms), print_ms)
        self._go(to, end_ms)

    def _go(self, to: Decimal, end_ms: int) -> None:
        """Move in a straight line of time, executing what is met in the order it is met."""
        start, start_ms = self.tape.price, self.now_ms
        there = Stand(to, self.tape.mark_of(to, end_ms))
        for _ in range(MAX_EVENTS_PER_MOVE):
            hit = self.matching.next_crossed(there)
            if hit is None:
                break
            order, at = hit.order, hit.at
            if hit.way:
                with localcontext(CONTEXT):
                    if hit.exact:
                        way = abs(at - start) / abs(to - start)
                        self._pass(start_ms + int(way * max(0, end_ms - start_ms)))
                    else:
                        self._pass(self.now_ms + int(hit.way * max(0, end_ms - self.now_ms)))
                self.matching.levels.refill()
                self.tape.move(at, self.now_ms)
            exact = at if hit.exact and at == order.level else None
            self.matching.execute(order, exact, through=to != order.level)
            self.settle()
        else:
            raise RuntimeError(f"one move set off more than {MAX_EVENTS_PER_MOVE} executions")
        self.tape.move(to, end_ms)
        self.matching.levels.refill()
        self._pass(end_ms)
        self._serve_waiting()

    def _execute_gap(self, before: Stand) -> None:
        """Execute what is set off by the jump from ``before`` to where the market stands now."""
        there = self.tape.stand
        crossed = [(o, o.level != there.price) for o in self.matching.crossed(before, there)]
        self.matching.levels.refill()
        for order, through in crossed:
            if order.is_live:
                self.matching.execute(order, None, through)
                self.settle()
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        trailed = self.matching.trail()
        if self.matching.serve_waiting() or trailed:
            self.settle()
        else:
            self._fire_by_last()

    def _end_day(self) -> None:
        """Settle if a day is over, and cancel the orders that were for it."""
        due_ms = self.terms.last_settlement(self.now_ms)
        settled_ms, self.saved.settled_ms = self.saved.settled_ms, due_ms
        assert settled_ms is not None
        if settled_ms < due_ms:
            self.tape.state.settlement_price = self.tape.mark
            self.recorder.settle_day(self.tape.stand)
        live = [o for o in self.matching.live() if o.time_in_force == "good_til_day"]
        over = [o for o in live if self.terms.day_end(o.creation_ms) <= self.now_ms]
        for order in over:
            self.matching.desk_of(order).end(order, "cancelled", "settlement")
        if over:
            self.settle()

    # -- events -------------------------------------------------------------------------------

    def settle(self) -> None:
        """End an event: settle families, record and tell what changed; a trade may set off more."""
        self._end_event()
        self._fire_by_last()

    def _fire_by_last(self) -> None:
        while (order := self.matching.due_by_last()) is not None:
            self.matching.execute(order, None, through=False)
            self._end_event()

    def _end_event(self) -> None:
        families.settle(self.matching)
        self.recorder.end_event()

    def take_step(self) -> Step:
        """Return what happened since the last step."""
        return Step(*self.recorder.take(), *self.outbox.take())

    # -- connections --------------------------------------------------------------------------

    def connect(self, peer: str = LOOPBACK) -> Session:
        """Take in a new connection from an address."""
        session = self._new_session(None, peer)
        self.saved.connected[session.number] = False
        self.recorder.write("session", {"session": session.number, "event": "connect"})
        return session

    def act_for(self, session: Session, desk: Desk) -> None:
        """Note that a connection may act for an account.

        The first one decides whether the connection's orders end with it.
        """
        if not session.acts and session.number in self.saved.connected:
            self.saved.connected[session.number] = desk.saved.cod_default
        session.acts = True

    def visit(self, proof: Proof, peer: str = LOOPBACK) -> Session:
        """Take in a single call without a connection; whatever it leaves, it leaves for good."""
        return self._new_session(proof, peer)

    def leave(self, number: int) -> None:
        """Forget a visit."""
        self.sessions.pop(number, None)

    def _new_session(self, proof: Proof | None, peer: str) -> Session:
        session = Session(number=self.saved.next_session, proof=proof, peer=peer)
        self.saved.next_session += 1
        self.sessions[session.number] = session
        return session

    def disconnect(self, number: int, logout: bool = False) -> None:
        """Forget a connection; cancel its orders if it asked for that and did not log out."""
        session = self.sessions.pop(number, None)
        if session is not None:
            self.gate.forget(session)
            self._part_from(number, self.saved.connected[number] and not logout)

    def part_from_all(self) -> None:
        """Part from the connections that an earlier process had when it ended."""
        for number, cancels in list(self.saved.connected.items()):
            self._part_from(number, cancels)

    def _part_from(self, number: int, cancels: bool) -> None:
        del self.saved.connected[number]
        self.recorder.write("session", {"session": number, "event": "disconnect"})
        if cancels:
            for order in list(self.matching.live()):
                waits = order.state == "untriggered" and self.terms.readings.cod == "resting"
                if order.session == number and order.is_live and not waits:
                    self.matching.desk_of(order).end(order, "cancelled", "cancel_on_disconnect")
            self.settle()

    def plan_maintenance(self, from_ms: int, until_ms: int) -> None:
        """Announce a maintenance; when it begins, all connections are closed."""
        self.terms.maintenance = (from_ms, until_ms)
        self.display.tell_maintenance(True)

    def _keep_hours(self, now_ms: int) -> None:
        shut = self.terms.maintained(now_ms)
        if shut and not self._shut:
            for number in self.sessions:
                self.outbox.drop(number)
            if self.terms.readings.maintenance == "cancels":
                self._cancel_everything()
        elif self._shut and not shut:
            self.display.tell_maintenance(False)
        self._shut = shut

    def _cancel_everything(self) -> None:
        """The maintenance takes all orders: the driver's doing, who planned it."""
        for order in list(self.matching.live()):
            if order.is_live:
                self.matching.desk_of(order).end(order, "cancelled", "maintenance")
        self.settle()
        line: Wire = {"method": "admin/maintenance", "params": {}, "outcome": {"result": "cancels"}}
        self.recorder.write("admin", line)

    def revoke_logins(self) -> int:
        """Forget all tokens and logins; return how many connections must log in again."""
        self.gate.revoke()
        clients = [session for session in self.sessions.values() if session.logged_in]
        for session in clients:
            session.logged_in = False
        return len(clients)


def _new_account(wanted: AccountConfig, account_id: int, place: int) -> SavedAccount:
    return SavedAccount(
        name=wanted.name,
        account_id=account_id,
        user_id=FIRST_USER_ID + place,
        account=Account.new(wanted.balance_btc, wanted.balance_usdc),
    )
