"""A walk through everything that can happen to the core, one move at a time.

Answers are lost, notifications come late, twice, out of order or never, lives and connections end
at any moment, and (when ``meddling``) the account's owner trades beside us. Each move takes its
choices from a ``Random``; after every decision the invariants are checked. ``converge`` stops the
faults and demands that state and exchange agree.
"""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import msgspec

from tests.unit.core.core_kit import BUY, LIMITS, LINEAR, MINUTE, SELL, T0, D, Story, assignment
from tests.unit.core.core_sim import Sim
from tradebaas.core.apply import apply
from tradebaas.core.decide import decide
from tradebaas.core.duties import unwanted
from tradebaas.core.events import Event, OrderIntended, PhaseChanged, PositionCorrected
from tradebaas.core.facts import AbsentFact, Fact, FillFact, LostFact, NotSentFact
from tradebaas.core.invariants import violations
from tradebaas.core.messages import (
    Admit,
    Arm,
    ClosePosition,
    Disarm,
    EndLife,
    Halt,
    Propose,
    Refused,
    Report,
    Request,
    Resume,
    Tend,
)
from tradebaas.core.model import Absence, Intent, Phase, Role
from tradebaas.core.reconcile import PROOF_SOURCES
from tradebaas.core.state import State, barrier, cover, naked_amount, waiting_reason

SOURCES = tuple(sorted(PROOF_SOURCES))
MAX_SNAPSHOT = 256 * 1024
WAITS_MS = (1, 1, 150, 2_001, 9_000, 61_000, 7_200_000)
WAYS = (-2_500, -900, -100, 100, 900, 2_500)
SHARES: tuple[tuple[Decimal, ...], ...] = (
    (D(0),),
    (D(1),),
    (D(1),),
    (D("0.6"), D("0.4")),
    (D("0.4"),),
    (D("0.3"), D("0.3")),
)


class Walk:
    """The core, the exchange, and what is between them."""

    def __init__(self, meddling: bool) -> None:
        self.story = Story(LINEAR)
        self.sim = Sim(now=T0)
        self.meddling = meddling
        self.lives = 0
        self.connection = 0
        self.taken: set[str] = set()
        self.signals: set[str] = set()
        self.labels: set[str] = set()
        self.pairs: set[tuple[Phase, Phase]] = set()
        self.late: list[Intent] = []
        self.slow: tuple[int, tuple[Fact, ...]] | None = None
        self.candle = 0
        self.start_life()
        self.get_ready(Random(0))

    # ----------------------------------------------------------------- the checks of each step

    @property
    def state(self) -> State:
        return self.story.state

    def ask(self, request: Request) -> bool:
        """Whether ``request`` was accepted; all invariants are checked either way."""
        self.look()
        before = self.state
        if isinstance(decide(before, request, LIMITS), Refused):
            return False
        events = self.story.tell(request)
        for event in events:
            self.check_event(before, request, event)
        self.check_state(before, request)
        return True

    def check_event(self, before: State, request: Request, event: Event) -> None:
        if isinstance(event, PhaseChanged):
            self.pairs.add((event.source, event.target))
        if not isinstance(event, OrderIntended):
            return
        intent = event.intent
        assert intent.label not in self.labels
        self.labels.add(intent.label)
        assert (intent.life, intent.connection) == (before.life, before.connection)
        if intent.role is Role.ENTRY:
            assert isinstance(request, Propose | Admit)
            assert barrier(before) == "" == waiting_reason(before)
            assert intent.signal_id not in self.signals, "one entry per signal, ever"
            self.signals.add(intent.signal_id)
        else:
            position = before.position
            assert intent.reduce_only
            assert position is not None
            assert position.ours
            assert intent.direction is position.direction.opposite
            assert intent.amount <= position.open_amount

    def check_state(self, before: State, request: Request) -> None:
        state = self.state
        broken = violations(state)
        if not isinstance(request, Report):
            assert broken.keys() <= violations(before).keys()
        assert not broken or "invariant" in state.protect
        assert len(state.pending) <= 16
        assert len(state.recent_fills) <= 400
        assert not state.closing or state.phase not in (Phase.IDLE, Phase.ANALYZING)
        assert naked_amount(state) == 0 or state.naked_since_ms is not None
        assert naked_amount(state) > 0 or state.naked_since_ms is None

    def look(self) -> None:
        self.story.now, self.story.price = self.sim.now, self.sim.price

    # ----------------------------------------------------------------- lives and connections

    def start_life(self) -> None:
        self.lives += 1
        self.late += [intent for intent in self.unsent() if self.lives % 2]
        self.taken |= set(self.state.pending)
        self.sim.stream.clear()
        self.slow = None
        self.connection = 0
        self.story.start(f"life{self.lives}", cause="killed")

    def disconnect(self, told: bool) -> None:
        """The loss of a connection, and what the reconciler says of its intents."""
        if self.state.connection == 0:
            return
        fates: list[Fact] = [
            LostFact(label=label, reason="link lost")
            if label in self.taken
            else NotSentFact(label=label, reason="link lost")
            for label in self.state.pending
        ]
        self.taken |= set(self.state.pending)
        self.sim.stream.clear()
        self.slow = None
        self.story.unlink()
        if told:
            self.report(*fates)

    def connect(self) -> None:
        if self.state.connection == 0:
            self.connection += 1
            self.story.link(self.connection)

    # -------------------------------------------------------------------------- what is told

    def report(self, *facts: Fact, complete: bool = False, at: int | None = None) -> None:
        self.ask(
            Report(
                connection=self.state.connection,
                at_ms=self.sim.now if at is None else at,
                facts=facts,
                complete=complete,
            )
        )

    def full_read(self) -> None:
        if self.state.connection:
            self.sim.now += 1
            facts = self.sim.read(self.state)
            self.report(*facts, complete=True)

    # ------------------------------------------------------------------------------ sending

    def unsent(self) -> list[Intent]:
        here = (self.state.life, self.state.connection)
        return [
            p.intent
            for label, p in self.state.pending.items()
            if label not in self.taken
            and not p.unknown
            and (p.intent.life, p.intent.connection) == here
        ]

    def probe(self, label: str) -> None:
        self.sim.now += 1
        found = self.sim.by_label(label)
        if found:
            fills = [f for f in self.sim.read(self.state) if isinstance(f, FillFact)]
            self.report(*fills, *(order.fact() for order in found))
        else:
            evidence = Absence(label=label, read_ms=self.sim.now, sources=SOURCES)
            self.report(AbsentFact(evidence=evidence))

    # -------------------------------------------------------------------------------- moves

    def get_ready(self, rng: Random) -> None:
        """Nothing is in the way any more: what was stopped goes on."""
        self.connect()
        self.full_read()
        self.ask(Resume(by="test"))
        self.ask(Arm(assignment=assignment(LINEAR)))

    def interrupt(self, rng: Random) -> None:
        """A life or a connection ends."""
        match rng.choice(["crash", "clean end", "told", "untold"]):
            case "crash":
                self.start_life()
            case "clean end":
                self.ask(EndLife(wall_ms=0))
                self.start_life()
            case how:
                self.disconnect(told=how == "told")
        if rng.random() < 0.7:
            self.connect()
            self.full_read()

    def slow_read(self, rng: Random) -> None:
        """A full read that was taken earlier arrives, or one is taken to arrive later."""
        if self.slow is not None:
            read_ms, facts = self.slow
            self.slow = None
            self.report(*facts, complete=True, at=read_ms)
        elif self.state.connection:
            facts = self.sim.read(self.state)
            self.slow = (self.sim.now, facts)

    def notify(self, rng: Random) -> None:
        """A notification, mostly the next one, sometimes another, or one that comes again."""
        stream = self.sim.stream
        if stream and self.state.connection:
            index = rng.randrange(len(stream)) if rng.random() < 0.3 else 0
            news = stream[index] if rng.random() < 0.2 else stream.pop(index)
            self.report(*news)

    def notify_all(self, rng: Random) -> None:
        while self.sim.stream and self.state.connection:
            self.report(*self.sim.stream.pop(0))

    def lose_a_notification(self, rng: Random) -> None:
        if self.sim.stream:
            self.sim.stream.pop(rng.randrange(len(self.sim.stream)))

    def send(self, rng: Random) -> None:
        for intent in self.unsent()[:1]:
            self.taken.add(intent.label)
            parts = rng.choice(SHARES)
            lost = LostFact(label=intent.label, reason="no answer")
            match rng.choice(["answered"] * 5 + ["answer lost", "late", "refused", "lost"]):
                case "answered":
                    self.report(*self.sim.place(intent, parts))
                case "answer lost":
                    self.sim.place(intent, parts)
                    self.report(lost)
                case "late":
                    self.late.append(intent)
                    self.report(lost)
                case "refused":
                    expired = msgspec.structs.replace(intent, valid_until_ms=0)
                    self.report(*self.sim.place(expired, parts))
                case _:
                    self.report(lost)

    def late_arrival(self, rng: Random) -> None:
        """A request that was on the wire all the time; refused when it is too old."""
        if self.late:
            self.sim.place(self.late.pop(), rng.choice(SHARES))

    def prove(self, rng: Random) -> None:
        for label, pending in list(self.state.pending.items()):
            if pending.unknown and self.state.connection:
                self.probe(label)

    def operator(self, rng: Random) -> None:
        requests: list[Request] = [
            Arm(assignment=assignment(LINEAR)),
            Disarm(reason="test"),
            Disarm(reason="test", close=True),
            ClosePosition(reason="test"),
            Halt(by="test", reason="test"),
        ]
        self.ask(rng.choice(requests))

    def propose(self, rng: Random) -> None:
        again = rng.random() < 0.1
        self.candle = max(self.candle + (not again), (self.sim.now - T0) // MINUTE)
        self.look()
        signal = self.story.signal(rng.choice([BUY, SELL]), self.candle)
        self.ask(Propose(signal=signal, market=self.story.market()))

    def admit(self, rng: Random) -> None:
        self.look()
        if self.state.signal is not None:
            market = self.story.market()
            self.ask(Admit(signal_id=self.state.signal.signal_id, market=market))

    def tend(self, rng: Random) -> None:
        self.sim.now += 1
        self.look()
        connection, market = self.state.connection, self.story.market()
        self.ask(Tend(connection=connection, at_ms=self.sim.now, market=market))

    def cancel_unwanted(self, rng: Random) -> None:
        for order_id in unwanted(self.state, self.sim.now, LIMITS, D(1)):
            if order_id in self.sim.orders:
                self.report(*self.sim.cancel(order_id))

    def time_passes(self, rng: Random) -> None:
        self.sim.now += rng.choice(WAITS_MS)

    def price_moves(self, rng: Random) -> None:
        self.sim.move(max(self.sim.price + rng.choice(WAYS), D(20_000)))

    def owner(self, rng: Random) -> None:
        """The account's owner trades, leaves an order, or cleans up and goes."""
        mine = [o for o in self.sim.orders.values() if o.label == "mine" and o.live]
        match rng.choice(["trade", "rest", "leave", "leave"]) if self.meddling else "":
            case "trade":
                self.sim.owner_trades(rng.choice([BUY, SELL]), D(rng.choice([10, 25, 100])) / 1000)
            case "rest" if len(mine) < 3:
                self.sim.owner_rests()
            case "leave":
                for order in mine:
                    self.sim.cancel(order.order_id)
                if self.sim.size and not any(o.ours and o.live for o in self.sim.orders.values()):
                    away = SELL if self.sim.size > 0 else BUY
                    self.sim.owner_trades(away, abs(self.sim.size))

    def someone_cancels(self, rng: Random) -> None:
        live = [o.order_id for o in self.sim.orders.values() if o.live and not o.waiting]
        if live:
            self.sim.cancel(rng.choice(live))

    # ------------------------------------------------------------------------ convergence

    def converge(self) -> None:
        """The faults stop; what the crew does in every life is done a few times."""
        rng = Random(0)
        self.late.clear()
        self.start_life()
        self.connect()
        for _ in range(30):
            self.sim.now += 10_000
            self.full_read()
            self.prove(rng)
            self.admit(rng)
            self.tend(rng)
            for intent in self.unsent():
                self.taken.add(intent.label)
                self.report(*self.sim.place(intent, (D(1),)))
            self.cancel_unwanted(rng)
        self.sim.now += 10_000
        self.full_read()
        self.check_converged()

    def check_converged(self) -> None:
        state = self.state
        position = state.position
        ours = {o.order_id for o in self.sim.orders.values() if o.live and o.ours}
        assert set(state.orders) == ours
        assert not state.pending
        known = position.size if position else D(0)
        assert known == self.sim.size or f"position {LINEAR.name}" in state.foreign
        if position is not None and position.ours:
            assert state.phase is Phase.POSITION_OPEN
            assert cover(state) >= position.open_amount
            return
        assert state.phase in (Phase.IDLE, Phase.ANALYZING)
        assert not ours
        assert state.protect == {}
        corrected = any(isinstance(e, PositionCorrected) for e in self.story.events)
        if not self.meddling and not corrected:
            total = state.counters.net.get("USDC", D(0))
            assert total == self.sim.cash(), "equal to the last digit"
        folded = State()
        for event in self.story.events:
            folded = apply(folded, event)
        assert folded == state
        body = msgspec.json.encode(state)
        assert len(body) < MAX_SNAPSHOT
        assert msgspec.json.decode(body, type=State) == state


MOVES: dict[str, tuple[int, Callable[[Walk, Random], None]]] = {
    "propose": (12, Walk.propose),
    "send": (12, Walk.send),
    "notify": (10, Walk.notify),
    "notify_all": (5, Walk.notify_all),
    "tend": (8, Walk.tend),
    "price_moves": (6, Walk.price_moves),
    "time_passes": (6, Walk.time_passes),
    "cancel_unwanted": (6, Walk.cancel_unwanted),
    "prove": (4, Walk.prove),
    "admit": (3, Walk.admit),
    "get_ready": (3, Walk.get_ready),
    "slow_read": (3, Walk.slow_read),
    "owner": (3, Walk.owner),
    "late_arrival": (2, Walk.late_arrival),
    "interrupt": (2, Walk.interrupt),
    "operator": (2, Walk.operator),
    "lose_a_notification": (1, Walk.lose_a_notification),
    "someone_cancels": (1, Walk.someone_cancels),
}
WEIGHTED = [name for name, (weight, _) in MOVES.items() for _ in range(weight)]
