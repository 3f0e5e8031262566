"""One world with one script, in which a process dies or is cut off where it is told to, or nowhere.

Nothing happens here by chance: the network is calm, the market stands still unless it is moved, and
faults are only those of the script, of the death and of the cut. At each point ``choose`` is asked
how to die there, if at all, and before at each frame ``cut_at``. After a death the script is over:
the daemon starts again at once. After a cut it goes on: the daemon connects again. The end is the
same for all: the daemon recovers, comes to rest, is judged, trades, and is judged again to the last
digit.
"""

import random
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import final

import trio
from msgspec import Struct

from chaos.enumerate import outcomes
from chaos.enumerate.cuts import Cut
from chaos.enumerate.market import StillMarket
from chaos.enumerate.outcomes import AT_THE_EXCHANGE, Doom, Outcome
from chaos.enumerate.points import Point, Surveyor
from chaos.enumerate.settings import (
    ASSIGNMENT,
    INSTRUMENT,
    NAKED_MS,
    RATE,
    daemon_config,
)
from chaos.sim import kernel
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.judge import Judge, Patience
from chaos.sim.machine import Machine
from chaos.sim.operator import Operator, free
from chaos.sim.post import Carrier
from chaos.sim.reaper import Deed
from chaos.sim.timeline import Timeline
from chaos.sim.wire import CALM, Network
from chaos.world.disk import SimDisk
from chaos.world.faults_mail import Armed, Mail
from chaos.world.faults_scene import Scene, quiet
from chaos.world.ledger import LedgerBroken
from chaos.world.oracle import Violation, Witness
from tradebaas.core.state import State
from tradebaas.paper.server import Server
from tradebaas.runtime.supervisor import leaves

SEED = 1
DEATHS = 2
"""Nobody dies more often: the points after the last death are not counted."""
MARKET_PAUSE_S = 0.5
EVERY_TIME = 10**9
SCRIPT_S = 30.0
RECOVERY_S = 20.0
REST_S = 20.0
TRADE_S = 20.0
LIMIT_S = 200.0
LOOK_S = 0.02
THIN_S = 0.4
"""A thin book is full again so long after a death: else nobody could close a position in it."""
RESTART_S = 0.1
"""After an exit that nobody ordered."""
AGAIN_MS = 200
"""The daemon's pause before it closes again what a thin book has left."""
NAKED_MAX_MS = RATE * (NAKED_MS + 2 * AGAIN_MS + int(THIN_S * 1000) + 50)
"""Of exchange time. Nobody can close in a thin book: that of the script, or the one after the
death, may each have to be waited out to the next attempt. The rest is for the recovery's own
reading."""
PATIENCE = Patience(rate=RATE, naked_ms=NAKED_MAX_MS, news_ms=NAKED_MAX_MS)
"""After sabotage the same: in a calm network news of it is never late."""


CutAt = Callable[[Point], Cut | None]
"""Decides at each frame whether the connection is cut there, and where. None: it is not."""
Choose = Callable[[int, Point, list[Doom]], Doom | None]
"""Decides at each point how the process dies there: told how many deaths came before, the point,
and all deaths that differ there. None: it goes on."""


class Fork(Struct, frozen=True):
    """Where a world parted from another one: after so many deaths, at this exchange time."""

    deaths: int
    at_ms: int


Script = Callable[["Stage"], Awaitable[None]]


class Death(Struct, frozen=True):
    """A death that happened."""

    point: Point
    doom: Doom


class Loss(Struct, frozen=True):
    """A connection that was cut."""

    point: Point
    cut: Cut


def nowhere(_point: Point) -> None:
    """For ``CutAt``: the connection is not cut."""


@final
@dataclass(slots=True)
class Stage:
    """A world, its script, and what came of it."""

    script: Script
    twice: bool
    choose: Choose
    cut_at: CutAt = nowhere
    on_end: Callable[["Stage"], None] = lambda _stage: None
    timeline: Timeline = field(default_factory=Timeline)
    violations: list[Violation] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    loss: Loss | None = None
    inflicted: int = 0
    its_own: bool = False
    forked: Fork = field(init=False)
    network: Network = field(init=False)
    disk: SimDisk = field(init=False)
    exchange: ExchangeHost = field(init=False)
    mail: Mail = field(init=False)
    machine: Machine = field(init=False)
    operator: Operator = field(init=False)
    judge: Judge = field(init=False)
    surveyor: Surveyor = field(init=False)
    _rng: random.Random = field(default_factory=lambda: random.Random(SEED))
    _nursery: trio.Nursery = field(init=False)
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def play(self) -> None:
        """Run the world to its end.

        Raises:
            Stalled: it did not come to one.
        """
        kernel.run(self._main, SEED, LIMIT_S)

    async def _main(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._build()
                await self.exchange.start(nursery)
                self.mark_fork()
                nursery.start_soon(self._keep_running)
                with self._scope:
                    await self._act()
                await self._end()
                nursery.cancel_scope.cancel()
        except* LedgerBroken as group:
            text = "; ".join(str(leaf) for _, leaf in leaves(group))
            self._find(Violation("durable", "broken", text))
        finally:
            self._conclude(sys.exc_info()[1])
            self.disk.close()

    def _conclude(self, error: BaseException | None) -> None:
        """Whatever came of it; that something broke the world itself is a finding as well."""
        if error is not None:
            told = "".join(traceback.format_exception(error))
            self._find(Violation("alive", "broken", f"the world broke: {told}"))
        self.on_end(self)

    def _build(self) -> None:
        rng, tell = random.Random("enumerate"), self.timeline.tell
        self.network = Network(kernel.forked(rng, "network"), weather=CALM)
        self.disk = SimDisk(kernel.forked(rng, "disk"))
        config = exchange_config(seed=SEED, speed=float(RATE), pause_s=MARKET_PAUSE_S)
        self.exchange = ExchangeHost(
            kernel.forked(rng, "exchange"), config, self.network, tell, StillMarket()
        )
        carrier = Carrier(kernel.forked(rng, "carrier"), self._nursery)
        self.mail = Mail(kernel.forked(rng, "mail"), carrier.post)
        if self.twice:
            self.mail.answers_twice = self.mail.notes_twice = Armed(EVERY_TIME)
        self.exchange.post = self.mail.post
        self.machine = Machine(
            rng=kernel.forked(rng, "machine"), config=daemon_config(), disk=self.disk,
            network=self.network, nursery=self._nursery, tell=tell,
        )  # fmt: skip
        self.surveyor = Surveyor(self.machine, self._reached, self._cut)
        journal, witness = self.exchange.journal, Witness()
        self.operator = Operator(
            kernel.forked(rng, "operator"), self.machine, ASSIGNMENT, witness,
            lambda: len(journal.lines),
        )  # fmt: skip
        self.judge = Judge(self.machine, journal, witness, PATIENCE)

    # ------------------------------------------------------------------- losing the connection

    def _cut(self, point: Point) -> Cut | None:
        cut = self.cut_at(point) if self.loss is None else None
        if cut is not None:
            self.loss = Loss(point, cut)
            self.timeline.tell("cut", f"{cut} point {point.number}: {point.kind} {point.what}")
        return cut

    # ------------------------------------------------------------------------------- dying

    async def _act(self) -> None:
        self.surveyor.begin()
        with trio.move_on_after(SCRIPT_S):
            await self.script(self)
            return
        self._fail(f"the script did not end within {SCRIPT_S:g} s")

    def _reached(self, point: Point) -> None:
        process = self.machine.process
        assert process is not None
        exposed = bool(self._scene().size)
        calls = outcomes.under_way(process)
        dooms = outcomes.dooms(point, calls, exposed=exposed, twice=self.twice)
        self.timeline.tell("point", f"{point.number}: {point.kind} {point.what}")
        doom = self.choose(len(self.deaths), point, dooms)
        if doom is None:
            return
        self.deaths.append(Death(point, doom))
        self.timeline.tell("death", f"{doom.deed}, {doom.outcome}, at point {point.number}")
        self._nursery.start_soon(self._befall, doom.outcome)
        if doom.outcome is Outcome.LOST:
            outcomes.lose(process)
        if doom.deed is Deed.POWER:
            self.machine.cut_power()
        else:
            process.kill()
        self._scope.cancel()
        if len(self.deaths) < DEATHS:
            self.surveyor.begin()
        else:
            self.surveyor.end()

    async def _befall(self, outcome: Outcome) -> None:
        """What else the death brings: the exchange's part in it, and, later, a full book again."""
        deed = AT_THE_EXCHANGE.get(outcome)
        if deed is not None:
            await self.inflict(deed)
        await trio.sleep(THIN_S)
        await self.inflict(outcomes.deepen)

    async def _keep_running(self) -> None:
        while True:
            self.judge.witness.begin(self.judge.last_life(), halt_file=self.judge.halted())
            process = self.machine.start()
            await process.ended.wait()
            if isinstance(process.exit, int):
                text = f"process {process.number} ended with {process.exit}: {process.words}"
                self._find(Violation("alive", f"exit {process.number}", text))
                await trio.sleep(RESTART_S)

    def mark_fork(self) -> None:
        """What came before now is not this world's alone."""
        self.forked = Fork(len(self.deaths), self.now_ms())

    def now_ms(self) -> int:
        """Exchange time."""
        return self._server().exchange.now_ms

    # ------------------------------------------------------------------- what a script may do

    def own(self) -> None:
        """From here on the script does what no other one has done before it."""
        self.its_own = True

    async def inflict(self, deed: Callable[[Scene], object]) -> None:
        """Do something to the exchange, as a step of its own."""
        scene = self._scene()

        def act() -> None:
            self.inflicted += 1
            deed(scene)

        await self._server().act(act)

    async def wait(self, wanted: Callable[[State], bool]) -> None:
        """Wait until the living process shows a state as wanted."""
        await _until(lambda: self.shows(wanted))

    def shows(self, wanted: Callable[[State], bool]) -> bool:
        """Whether the living process shows such a state now."""
        process = self.machine.process
        state = process.lives.board.view.value if process and process.alive else None
        return state is not None and wanted(state)

    def _scene(self) -> Scene:
        server = self._server()
        return Scene(server.exchange, server.front, self.mail, self._rng, INSTRUMENT)

    def _server(self) -> Server:
        assert self.exchange.server is not None  # nobody kills it here
        return self.exchange.server

    # ------------------------------------------------------------------------------ the end

    async def _end(self) -> None:
        if not await self._recovers():
            return
        self.surveyor.end()
        await self.inflict(quiet)
        if self.twice:
            self.mail.answers_twice = self.mail.notes_twice = Armed(EVERY_TIME)
        if not await self._rests():
            return
        if not self._is_done():
            self._judge(flat=False)
            if not await self._trades():
                return
        self._judge(flat=True)

    async def _recovers(self) -> bool:
        """Whether the process that lives last writes its report: reconciled, proven, protected."""
        with trio.move_on_after(RECOVERY_S):
            await _until(self._recovered)
            return True
        self._fail(f"no recovery within {RECOVERY_S:g} s")
        return False

    def _recovered(self) -> bool:
        process = self.machine.process
        return bool(process and process.alive and process.lives.board.recovery.value)

    async def _rests(self) -> bool:
        """Whether the operator gets it to be free to trade, with both ledgers in agreement."""
        with trio.move_on_after(REST_S):
            await self.operator.insist(free)
            await _until(lambda: not self.judge.settled())
            return True
        self._fail(f"not at rest {REST_S:g} s after its recovery")
        return False

    def _is_done(self) -> bool:
        """Whether what can be judged to the last digit at once is enough.

        After a second death a flat account that is free to trade is: that it then trades is seen
        after each first one.
        """
        return len(self.deaths) > 1 and self.shows(lambda state: state.position is None)

    async def _trades(self) -> bool:
        """Whether the position that is open now, or the next one, is closed; and then it rests."""
        before = self._trades_closed()
        with trio.move_on_after(TRADE_S):
            while self._trades_closed() == before:
                if self.shows(lambda state: state.position is not None and not state.pending):
                    await self.inflict(outcomes.gap_stop)
                await trio.sleep(LOOK_S)
            await self.operator.insist(free)
            await self.wait(lambda state: not state.orders)
            return True
        self._fail(f"no trade within {TRADE_S:g} s")
        return False

    def _trades_closed(self) -> int:
        process = self.machine.process
        state = process.lives.board.view.value if process else None
        return state.counters.trades if state else 0

    # -------------------------------------------------------------------------------- words

    def _judge(self, *, flat: bool) -> None:
        for violation in self.judge.verdict(self.now_ms(), flat=flat):
            self._find(violation)

    def _find(self, violation: Violation) -> None:
        """Note a violation, each once."""
        if (violation.check, violation.key) not in {(v.check, v.key) for v in self.violations}:
            self.violations.append(violation)
            self.timeline.tell("VIOLATION", f"{violation.check}: {violation.text}")

    def _fail(self, what: str) -> None:
        process = self.machine.process
        state = process.lives.board.view.value if process else None
        differences = [violation.text for violation in self.judge.settled()]
        shown = f"it shows {state}" if state else "it shows no state"
        self._find(Violation("alive", what, "; ".join([what, *differences, shown])))
        self._judge(flat=False)


async def _until(done: Callable[[], bool]) -> None:
    """Look again and again until it is done."""
    while True:
        if done():
            return
        await trio.sleep(LOOK_S)
