"""One simulated world, from its first start to its judgement.

Phases: faults (deaths and everything else that goes wrong), then quiet (nothing goes wrong any
more: what was ordered is done, and the operator wants it to trade), then judgement, then liveness
(it must open and close a position), then a stop and the last judgement, to the last digit; and then
a file is spoilt. A world is a function of its ``Swarm``: equal values give equal timelines.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import trio

from chaos.sim import damage, flip, kernel, legacy, liveness, turns
from chaos.sim.deeds import DISK_FULL
from chaos.sim.exchange import ExchangeHost, exchange_config
from chaos.sim.judge import Judge
from chaos.sim.liveness import until
from chaos.sim.machine import Machine, Process
from chaos.sim.nemesis import Nemesis
from chaos.sim.operator import Operator, free
from chaos.sim.post import Carrier
from chaos.sim.reaper import Death, Reaper
from chaos.sim.swarm import Swarm
from chaos.sim.timeline import Timeline
from chaos.sim.wire import Network
from chaos.world.books import Books
from chaos.world.court import Things
from chaos.world.disk import SimDisk
from chaos.world.faults_mail import Mail
from chaos.world.ledger import JournalRow, LedgerBroken
from chaos.world.oracle import Violation, Witness
from chaos.world.story import Story
from tradebaas.core.messages import Disarm
from tradebaas.core.model import Phase
from tradebaas.runtime.supervisor import leaves
from tradebaas.store.place import Place

STOP_S = 60.0
WORLD_S = 3_000.0


@dataclass(slots=True)
class Outcome:
    """What came of a world. ``marks`` counts what happened, ``held`` what each invariant was held
    against; ``virtual_s`` is the daemon's time, ``exchange_ms`` the exchange's."""

    swarm: Swarm
    violations: list[Violation] = field(default_factory=list)
    timeline: Timeline = field(default_factory=Timeline)
    books: Books = field(default_factory=Books)
    story: Story = field(default_factory=Story)
    lines: list[JournalRow] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    processes: int = 0
    virtual_s: float = 0.0
    exchange_ms: int = 0
    held: Things = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.violations


Enough = Callable[[list[Violation]], bool]


def play(swarm: Swarm, enough: Enough | None = None) -> Outcome:
    """Run the world of ``swarm`` to its end, or to the violations that are ``enough``."""
    outcome = Outcome(swarm)
    rng = random.Random(f"world {swarm.seed}")
    reaper = Reaper(kernel.forked(rng, "reaper"), swarm)
    world = World(outcome, rng, reaper, enough)
    try:
        kernel.run(world.main, swarm.seed, WORLD_S, [reaper])
    except* kernel.Stalled as stalled:
        outcome.violations.append(Violation("alive", "stalled", _words(stalled)))
    except* LedgerBroken as broken:
        outcome.violations.append(Violation("durable", "broken", _words(broken)))
    finally:
        world.conclude()
        world.disk.close()
    return outcome


@final
class World:
    """Everything in one world, and the order of its phases."""

    def __init__(
        self, outcome: Outcome, rng: random.Random, reaper: Reaper, enough: Enough | None
    ) -> None:
        self.outcome = outcome
        self.swarm = outcome.swarm
        self.timeline = outcome.timeline
        self.witness = Witness()
        self.reaper = reaper
        self.rng = rng
        self._enough = enough
        self.stopping = False
        self.off_until_ms = 0
        self.flip: flip.Flip | None = None
        self.refused: set[int] = set()

    async def main(self) -> None:
        """Build, play all phases, end."""
        async with trio.open_nursery() as nursery:
            self._build(nursery)
            await self.exchange.start(nursery)
            nursery.start_soon(self._keep_running)
            try:
                await self._play()
            finally:
                self.outcome.virtual_s = trio.current_time()
            nursery.cancel_scope.cancel()

    def conclude(self) -> None:
        """Hand over what was counted and read."""
        outcome, judge = self.outcome, self.judge
        outcome.books, outcome.story = judge.books, judge.story
        outcome.held = judge.held.by_thing()
        outcome.lines = self.exchange.journal.rows(0)
        self.reaper.settle()
        outcome.deaths = self.reaper.deaths
        outcome.faults = Counter(self.nemesis.deeds)
        outcome.marks.update(self.machine.marks)
        outcome.marks["answered twice"] = self.mail.doubled
        outcome.faults.update(str(death.deed) for death in self.reaper.deaths)
        outcome.answers = self.operator.answers
        outcome.processes = self.machine.count
        if outcome.lines:
            outcome.exchange_ms = outcome.lines[-1].at_ms - outcome.lines[0].at_ms

    def _build(self, nursery: trio.Nursery) -> None:
        swarm, rng = self.swarm, self.rng
        self.network = Network(kernel.forked(rng, "network"), swarm.weather)
        self.disk = SimDisk(kernel.forked(rng, "disk"))
        config = exchange_config(
            seed=swarm.seed, speed=float(swarm.rate), pause_s=swarm.market_pause_s,
            readings=swarm.readings, funding=swarm.funding,
        )  # fmt: skip
        tell = self.timeline.tell
        self.exchange = ExchangeHost(kernel.forked(rng, "exchange"), config, self.network, tell)
        self.carrier = Carrier(kernel.forked(rng, "carrier"), nursery)
        self.carrier.late, self.carrier.most_s = swarm.late_frames, 0.5
        self.mail = Mail(kernel.forked(rng, "mail"), self.carrier.post)
        self.exchange.post = self.mail.post
        self.machine = Machine(
            rng=kernel.forked(rng, "machine"),
            config=swarm.config(),
            disk=self.disk,
            network=self.network,
            nursery=nursery,
            tell=tell,
            hand_over_s=swarm.hand_over_s,
            capacities=swarm.capacities,
            prepare=self.reaper.watch,
        )
        self.reaper.machine = self.machine
        if swarm.old_store:
            mount = self.disk.mount()
            legacy.lay(Place(self.machine.root, mount))
            mount.kill()
        self.operator = Operator(
            kernel.forked(rng, "operator"), self.machine, swarm.assignment(), self.witness,
            lambda: len(self.exchange.journal.lines),
        )  # fmt: skip
        self.judge = Judge(
            self.machine, self.exchange.journal, self.witness, swarm.patience,
            self.exchange.skew.leaps,
        )  # fmt: skip
        self.nemesis = Nemesis(kernel.forked(rng, "nemesis"), self)
        self.reaper.injected = self.witness.injected
        self.flips = kernel.forked(rng, "flips")

    # ------------------------------------------------------------------------------- systemd

    async def _keep_running(self) -> None:
        """Start the daemon whenever it has ended, as its unit file says."""
        while not self.stopping:
            self._note_start()
            self.flip = flip.strike(self)
            process = self.machine.start()
            if self.flip is not None:
                await flip.must_refuse(self, process, self.flip)
            await process.ended.wait()
            if not self.stopping:
                self._note_exit(process)
                await trio.sleep(liveness.RESTART_S)
                with trio.move_on_after(self.nemesis.downtime()):
                    await self.nemesis.calmed.wait()
                await until(lambda: self.now_ms() >= self.off_until_ms, 0.25)

    def _note_start(self) -> None:
        self.witness.begin(self.judge.last_life(), halt_file=self.judge.halted())
        if self.disk.capacity is not None:
            self.witness.excuse(DISK_FULL)

    def _note_exit(self, process: Process) -> None:
        self.timeline.tell("exit", f"process {process.number}: {process.exit} {process.words}")
        expected = process.number in self.refused or process.had_cause()
        if isinstance(process.exit, int) and not expected:
            text = f"process {process.number} ended with {process.exit}: {process.words}"
            self.find(Violation("alive", f"exit {process.number}", text))

    # -------------------------------------------------------------------------------- phases

    async def _play(self) -> None:
        async with trio.open_nursery() as strikes:
            self.nemesis.begin(strikes)
            with trio.move_on_after(self.swarm.faults_s):
                await until(lambda: self.swarm.deaths > 0 >= self.reaper.left, 0.25)
            strikes.cancel_scope.cancel()
        self.timeline.tell("phase", "quiet")
        self.reaper.disarm()
        if await self._found_enough():
            return
        await self.nemesis.calm()
        for name in self.swarm.certain:
            await turns.provoke(self.nemesis, name)
            await self.nemesis.calm()
        for name in self.swarm.drills:
            await turns.drill(self.nemesis, name)
        if not await liveness.closes(self) or not await self._comes_to_rest():
            return
        self._judge(flat=False)
        self.timeline.tell("phase", "liveness")
        await liveness.protects(self)
        await liveness.recovers(self)
        await liveness.sleeps(self)
        if await self._trades_on() and await self._ends():
            await damage.spoil(self)

    async def _trades_on(self) -> bool:
        """Whether what was ordered last is done, and it can be had to trade after that."""
        return (
            await liveness.closes(self)
            and await liveness.starts(self)
            and await liveness.trades(self)
        )

    async def _comes_to_rest(self) -> bool:
        """Whether the operator gets it to trade again, with both ledgers in agreement."""
        with trio.move_on_after(self.swarm.quiet_s):
            await self.operator.insist(free)
            await until(lambda: not self.judge.settled(), 0.1)
            return True
        differences = self.judge.settled()
        self.fail(f"not at rest {self.swarm.quiet_s:g} s after the last fault", differences)
        return False

    async def _ends(self) -> bool:
        """In order, or by one more kill with whatever is open; whether all is well."""
        if self.rng.random() < 0.7:
            await self._stop()
        else:
            self.stopping = True
            assert self.machine.process is not None
            self.machine.process.kill()
            self._judge(flat=False)
        return not self.outcome.violations

    async def _stop(self) -> None:
        """Stop the strategy with its position, then the process, in order."""
        process = self.machine.process
        assert process is not None
        with trio.move_on_after(STOP_S):
            await self.operator.command(Disarm(reason="the end", close=True))
            await self.operator.wait(lambda s: s.phase is Phase.IDLE and s.position is None)
            await until(lambda: not self.judge.settled(), 0.1)
            self.stopping = True
            process.lives.drain.ask()
            await process.ended.wait()
            if process.exit != 0:
                self.fail(f"after SIGTERM: {process.exit} {process.words}", [])
            self._judge(flat=True)
            return
        self.fail(f"not stopped in order within {STOP_S:g} s", self.judge.settled())

    # --------------------------------------------------------------------------------- words

    def _judge(self, *, flat: bool) -> None:
        for violation in self.judge.verdict(self.now_ms(), flat=flat):
            self.find(violation)

    async def _found_enough(self) -> bool:
        """Whether the faults alone have shown what was looked for."""
        if self._enough is None:
            return False
        await until(lambda: self.flip is None, 0.001)
        self._judge(flat=False)
        return self._enough(self.outcome.violations)

    def find(self, violation: Violation) -> None:
        """Note a violation, each once."""
        known = {(v.check, v.key) for v in self.outcome.violations}
        if (violation.check, violation.key) not in known:
            self.outcome.violations.append(violation)
            self.timeline.tell("VIOLATION", f"{violation.check}: {violation.text}")

    def fail(self, what: str, differences: list[Violation]) -> None:
        """Note that it is not alive, with what the ledgers say meanwhile."""
        text = "; ".join([what, *(v.text for v in differences), self.described()])
        self.find(Violation("alive", what, text))
        for difference in differences:
            self.find(difference)
        self._judge(flat=False)

    def described(self) -> str:
        """What the process shows, in a line."""
        process = self.machine.process
        if process is None or not process.alive:
            return "no process is alive"
        state, link = process.lives.board.view.value, process.lives.board.link.value
        if state is None:
            return f"process {process.number} has published no state; {link}"
        return (
            f"{state.phase}, life {state.life}, seq {state.seq}, armed {state.armed}, "
            f"connection {state.connection} (reconciled {state.reconciled}), "
            f"pending {state.pending}, protect {state.protect}, foreign {state.foreign}, "
            f"halted {state.halted}, orders {list(state.orders)}, position {state.position}; {link}"
        )

    def now_ms(self) -> int:
        """Exchange time; 0 while the exchange is down."""
        server = self.exchange.server
        return server.exchange.now_ms if server is not None else 0


def _words(error: BaseException) -> str:
    return "; ".join(str(leaf) for _, leaf in leaves(error))
