"""What a walk stands on: the core, the simulated exchange, what is between, and all checks.

After every decision the invariants are checked, here with other means than the product's own
where that is possible. The moves are in ``core_walk``.
"""

import msgspec

from tests.unit.core.core_kit import LIMITS, LINEAR, T0, D, Story, assignment
from tests.unit.core.core_sim import Sim
from tradebaas.core.apply import apply
from tradebaas.core.decide import decide
from tradebaas.core.events import (
    DiscrepancyGivenUp,
    Event,
    Filled,
    OrderIntended,
    PhaseChanged,
    PositionCorrected,
    TradeClosed,
)
from tradebaas.core.facts import AbsentFact, Fact, FillFact, LostFact, NotSentFact
from tradebaas.core.invariants import violations
from tradebaas.core.messages import (
    Admit,
    Arm,
    Propose,
    Refused,
    Report,
    Request,
    Resume,
    Tend,
)
from tradebaas.core.model import Absence, Intent, Phase, Position, Role
from tradebaas.core.proof import APART_MS, PLACES
from tradebaas.core.state import State, barrier, cover, naked_amount, waiting_reason

SOURCES = tuple(PLACES)
MAX_SNAPSHOT = 256 * 1024


class Ground:
    """The core, the exchange, and what is between them."""

    def __init__(self, meddling: bool) -> None:
        self.story = Story(LINEAR)
        self.sim = Sim(now=T0)
        self.meddling = meddling
        self.lives = 0
        self.connection = 0
        self.taken: set[str] = set()
        self.signals: set[str] = set()
        self.looked: dict[str, int] = {}
        self.labels: set[str] = set()
        self.pairs: set[tuple[Phase, Phase]] = set()
        self.late: list[Intent] = []
        self.slow: tuple[int, tuple[Fact, ...]] | None = None
        self.candle = 0
        self.start_life()
        self.get_ready()

    # ----------------------------------------------------------------- the checks of each step

    @property
    def state(self) -> State:
        return self.story.state

    def ask(self, request: Request) -> bool:
        """Whether ``request`` was accepted; all invariants are checked either way."""
        self.look()
        before = self.state
        if isinstance(decide(before, request, LIMITS), Refused):
            assert not isinstance(request, Report | Tend), "facts and care are never refused"
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
        self.looked.clear()
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
            now = self.sim.now
            first_ms = self.looked.setdefault(label, now)
            evidence = Absence(
                label=label, read_ms=now, sources=SOURCES, position=self.sim.size,
                first_read_ms=first_ms if now - first_ms >= APART_MS else 0,
            )  # fmt: skip
            self.report(AbsentFact(evidence=evidence))

    def get_ready(self) -> None:
        """Nothing is in the way any more: what was stopped goes on."""
        self.connect()
        self.full_read()
        self.ask(Resume(by="test"))
        self.ask(Arm(assignment=assignment(LINEAR)))

    def told_in_full(self) -> bool:
        """Whether no fill was given up, or told after a trade that it should have been a part of:
        so late comes none, since notifications have an order and full reads bring what was lost.
        """
        closed_ms = 0
        for event in self.story.events:
            match event:
                case DiscrepancyGivenUp() | PositionCorrected(awaits=False, position=Position()):
                    return False
                case TradeClosed(trade=trade):
                    closed_ms = trade.closed_ms
                case Filled(fill=fill) if fill.at_ms < closed_ms:
                    return False
                case _:
                    pass
        return True

    # -------------------------------------------------------------------------- at the end

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
        if not self.meddling:
            assert all(e.awaits for e in self.story.events if isinstance(e, PositionCorrected))
            assert not any(isinstance(e, DiscrepancyGivenUp) for e in self.story.events)
            total = state.counters.net.get("USDC", D(0))
            assert total == self.sim.cash(), "equal to the last digit"
        if self.told_in_full():
            assert state.counters.net.get("USDC", D(0)) == self.sim.earned()
        folded = State()
        for event in self.story.events:
            folded = apply(folded, event)
        assert folded == state
        body = msgspec.json.encode(state)
        assert len(body) < MAX_SNAPSHOT
        assert msgspec.json.decode(body, type=State) == state
