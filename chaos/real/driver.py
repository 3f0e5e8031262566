"""Everything that one campaign holds, and the primitive acts: wait, command, kill, restart, look.

The driver is synchronous and polls. It knows the daemon by three things only: its HTTP answers,
which it keeps as witness, its store, and the exchange's journal. A wait that does not end in time
raises ``Stuck`` with what was waited for, the last state seen and the daemon's last words.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.real.admin import Admin
from chaos.real.api import (
    IN_DOUBT,
    STOP,
    Answer,
    Api,
    Json,
    NoAnswer,
    closes,
    views,
    wait_for_api,
)
from chaos.real.processes import Daemon, Exchange, Point
from chaos.real.stage import Stage
from chaos.world.books import Books
from chaos.world.deck import Deck
from chaos.world.ledger import Tail, read_head, read_journal, read_log
from chaos.world.oracle import Close, HaltWindow, Promise, Witness
from chaos.world.story import Story
from tradebaas.core.model import Phase
from tradebaas.core.state import State

INSTRUMENT = "BTC-PERPETUAL"
POLL_S = 0.004
RECOVERY_LIMIT_S = 10.0
API_LIMIT_S = 15.0
STATE_LIMIT_S = 15.0
SNAPSHOT_EVERY = 100
SERVES = re.compile(r"HTTP on (http://\S+)")
"""How the daemon's log tells where it serves."""


class Stuck(Exception):
    """Something that had to happen did not; the campaign cannot go on."""


@dataclass(frozen=True, slots=True)
class Buried:
    """A death that was counted: in which state, of what, and whether during a recovery."""

    phase: Phase
    kind: str
    recovering: bool


@dataclass(slots=True)
class Driver:
    """One campaign's processes, clients, ledgers and witness.

    ``decks`` are what is drawn from. ``recovered`` names the life and the connection that
    recovered last, as far as anybody has looked, and ``recovered_at`` (monotonic seconds) when that
    was seen.
    ``deaths`` and ``outcomes`` (of unknown orders) are kept over all stories: a store that was
    restored from a backup begins a new one. ``answered`` is how long promises took, in seconds.
    """

    home: Path
    rng: random.Random
    exchange: Exchange
    daemon: Daemon
    admin: Admin
    stage: Stage = field(default_factory=Stage)
    books: Books = field(default_factory=Books)
    story: Story = field(default_factory=Story)
    witness: Witness = field(default_factory=Witness)
    deaths: list[Buried] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    answered: list[float] = field(default_factory=list)
    decks: dict[str, Deck] = field(default_factory=dict)
    recovered: tuple[int, int] = (0, 0)
    recovered_at: float = 0.0
    _counted: int = 0
    _unread: int = 0
    _api: Api | None = None

    def bury(self, kind: str) -> None:
        """Count the deaths that the log has told of since the last time as deaths of ``kind``."""
        fresh = self.story.deaths[self._counted :] if self._counted >= 0 else []
        self.deaths += [Buried(death.phase, kind, death.recovering) for death in fresh]
        self._counted = len(self.story.deaths)

    def unknown_outcomes(self) -> Counter[str]:
        """What became of orders whose outcome was not known; "open" where it is not known yet."""
        return Counter({**self.outcomes, **self._outcomes_now()}.values())

    def _outcomes_now(self) -> dict[str, str]:
        return {label: u.outcome or "open" for label, u in self.story.unknowns.items()}

    def drop_story(self) -> None:
        """The store was restored: what it says from here on is another story, from its beginning.

        What was promised of the old one is void. Deaths that it has in common are not counted. It
        is not looked at before the daemon has begun to write on it.
        """
        self.outcomes |= self._outcomes_now()
        self.story = Story()
        self.books.forget_plans()
        self._counted = -1
        self._unread = self.head().seq
        self.recovered = (0, 0)
        self.witness.promises.clear()
        self.witness.closes.clear()
        self.witness.published.clear()

    def draw(self, what: str, cards: Sequence[str], first: Sequence[str] = ()) -> str:
        """The next card of the deck ``what``, made of ``cards``; those of ``first`` come first."""
        if what not in self.decks:
            self.decks[what] = Deck(self.rng, cards, list(reversed(first)))
        return self.decks[what].draw()

    # ------------------------------------------------------------------------------------ looking

    @property
    def state(self) -> State:
        return self.story.state

    @property
    def phase(self) -> Phase:
        return self.story.state.phase

    def read_store(self) -> State:
        """Fold what the log holds beyond what is known. Never while the daemon is down."""
        self.story.take(read_log(self.daemon.store, self.story.tail))
        self._see_recovery()
        return self.story.state

    def _see_recovery(self) -> None:
        state, seen = self.state, (self.state.life, self.state.connection)
        read = 0 < state.connection == state.reconciled
        if read and state.life in self.story.reports and seen != self.recovered:
            self.recovered, self.recovered_at = seen, time.monotonic()

    def peek(self) -> State:
        """As ``read_store``, but only if ``data/head`` says that there is more."""
        if read_head(self.daemon.head).seq > max(self.story.tail.seq, self._unread):
            self.read_store()
        return self.story.state

    def read_journal(self) -> Books:
        """Fold what the exchange's journal holds beyond what is known."""
        self.books.take(read_journal(self.exchange.journal, self.books.n))
        return self.books

    def wait(self, done: Callable[[State], bool], what: str, limit: float = STATE_LIMIT_S) -> State:
        """Wait until the committed state satisfies ``done``.

        Raises:
            Stuck: not within ``limit`` seconds, or the daemon has ended by itself.
        """
        if not self.try_wait(done, limit):
            raise Stuck(self.describe(f"waited {limit:g} s for {what}"))
        return self.state

    def try_wait(self, done: Callable[[State], bool], limit: float) -> bool:
        """Whether the committed state comes to satisfy ``done`` within ``limit`` seconds."""
        until = time.monotonic() + limit
        while not done(self.peek()):
            if time.monotonic() > until:
                return False
            self.insist_running()
            time.sleep(POLL_S)
        return True

    def insist_running(self) -> None:
        """Raises:
        Stuck: the daemon has ended by itself.
        """
        process = self.daemon.process
        if process is not None and process.poll() is not None:
            code = process.returncode
            raise Stuck(self.describe(f"the daemon ended by itself with exit code {code}"))

    def describe(self, what: str) -> str:
        """``what``, the last state seen and the daemon's last words."""
        state = self.state
        position = state.position.size if state.position else 0
        seen = (
            f"phase {state.phase}, life {state.life}, seq {state.seq}, armed {state.armed}, "
            f"connection {state.connection} (reconciled {state.reconciled}), position {position}, "
            f"pending {list(state.pending)}, protect {state.protect}, foreign {state.foreign}, "
            f"halted {state.halted}"
        )
        return f"{what}\nlast state: {seen}\nthe daemon's last words:\n{self.daemon.words()}"

    # --------------------------------------------------------------------------------- commanding

    def api(self) -> Api:
        """The API of the running process.

        Raises:
            Stuck: it does not serve in time.
        """
        if self._api is None:
            self.insist_running()
            self._api = wait_for_api(self.daemon.data, self.daemon.pid, API_LIMIT_S)
        if self._api is None:
            self.insist_running()
            raise Stuck(self.describe(f"no HTTP within {API_LIMIT_S:g} s of the start"))
        return self._api

    def has_api(self) -> bool:
        """Whether the running process is known to serve HTTP."""
        if self._api is None:
            self._api = wait_for_api(self.daemon.data, self.daemon.pid, 0.02)
        return self._api is not None

    def find_api_by_words(self) -> bool:
        """Likewise, by what the process says of itself: a full disk may have no room for a file."""
        found = SERVES.search(self.daemon.said())
        if not self.has_api() and found is not None:
            token = (self.daemon.data / "token").read_text(encoding="ascii").strip()
            self._api = Api(found[1], token)
        return self._api is not None

    def command(self, path: str, body: Json | None = None, limit: float = 3.0) -> Answer | None:
        """Command the daemon and keep its promise; None when it did not answer."""
        if path == "/api/resume":
            self._end_halt()
        api, start = self.api(), self.witness.starts[-1]
        start.stops += path == STOP  # until it is answered
        asked_at = time.monotonic()
        try:
            answer = api.post(path, body, limit)
        except NoAnswer:
            return None
        start.stops -= path == STOP and answer.status < IN_DOUBT
        if answer.ok and answer.body.get("events"):
            self.answered.append(time.monotonic() - asked_at)
        if answer.ok and "seq" in answer.body:
            self._remember(path, body or {}, answer.body)
        return answer

    def _remember(self, path: str, asked: Json, answered: Json) -> None:
        """Keep a promise."""
        seq, events = int(str(answered["seq"])), answered.get("events")
        if path == "/api/halt":
            self.witness.halts.append(HaltWindow(seq, self.admin.n()))
        if closes(path, asked):
            self.witness.closes.append(Close(path, seq))
        listed = tuple(events) if isinstance(events, list) else ()
        self.witness.promises.append(Promise(path, seq, listed))

    def insist(self, path: str, body: Json | None = None) -> Answer:
        """Command until the daemon answers at all (a restarting crew says 503).

        Raises:
            Stuck: no answer in time, or the daemon has ended by itself.
        """
        until = time.monotonic() + API_LIMIT_S
        while time.monotonic() < until:
            self.insist_running()
            answer = self.command(path, body)
            if answer is not None and answer.status != 503:
                return answer
            time.sleep(0.02)
        raise Stuck(self.describe(f"no answer to POST {path} within {API_LIMIT_S:g} s"))

    def _end_halt(self) -> None:
        """From here on entries are allowed again, as far as we are concerned."""
        for window in self.witness.halts:
            if window.last_n is None:
                window.last_n = self.admin.n()

    def health(self) -> Json | None:
        """What /health says, if the process serves HTTP and answers."""
        if not self.has_api():
            return None
        try:
            return self.api().get("/health").body
        except NoAnswer:
            return None

    def look(self) -> None:
        """Note what the reading endpoints show, if HTTP is up; the oracle compares it."""
        if not self.has_api():
            return
        self.witness.published += views(self.api())

    # -------------------------------------------------------------------------- killing, starting

    def end_outages(self) -> None:
        """From here on commits succeed again."""
        for outage in self.witness.outages:
            if outage.last_n is None:
                outage.last_n = self.admin.n()

    def start_exchange(self) -> None:
        """Start the exchange again, where it was."""
        self.admin.close()
        self.exchange.start()
        self.admin = Admin(self.exchange.url)

    def forget_api(self) -> None:
        """The process is about to end: what it serves ends with it."""
        self._api = None

    def poke(self, seconds: float) -> bool:
        """Command it, that it must commit, until it ends; whether it has ended in time.

        Looks at nothing: the file system may be one that nobody can look at. So whoever is to be
        poked must be known to serve HTTP before that (``api``): a daemon that nobody commands may
        have nothing to commit.
        """
        assert self._api is not None, "nobody asked for the API before the disk was broken"
        until, paths = time.monotonic() + seconds, ("/api/strategy/stop", "/api/strategy/start")
        while time.monotonic() < until:
            for path in paths:
                self.command(path, {}, 0.5)
            if self.daemon.wait_dead(0.05):
                self.forget_api()
                return True
        return False

    def end_process(self) -> None:
        """SIGKILL the daemon if it still runs, without a look at what it has written."""
        self.forget_api()
        self.daemon.kill()

    def kill_process(self) -> None:
        """SIGKILL the daemon."""
        self.forget_api()
        self.peek()
        self.daemon.kill()

    def kill_actor(self, actor: str) -> bool:
        """Make one actor die; whether the daemon has taken the order.

        The life that took it is known to die of it, whichever that was: a second order may hit the
        dying life or the next one.
        """
        try:
            answer = self.api().post(f"/chaos/kill/{actor}")
        except NoAnswer:
            return False
        if answer.ok:
            self.witness.injected("Killed")
        return answer.ok

    def start(self, point: Point | None = None, before: str = "") -> None:
        """Start the daemon, perhaps under strace, or after a shell command of its own."""
        self._api = None
        self.witness.begin(self.story.state.life, halt_file=self.halt_lies())
        prefix = point.command(self.home / "strace.out") if point else None
        self.daemon.start(prefix, before)

    def await_recovery(self, after_life: int) -> None:
        """Wait until a life after ``after_life`` has recovered.

        Raises:
            Stuck: not in time.
        """
        self.wait(
            lambda state: (
                state.life > after_life
                and (state.life, state.connection) == self.recovered
                and state.connection == state.reconciled
            ),
            f"the recovery of a life after {after_life}",
            RECOVERY_LIMIT_S,
        )

    def agree(self, same: Callable[[], bool], limit: float = 3.0) -> bool:
        """Read both ledgers, the exchange's first, until ``same`` holds: the log lags a little."""
        until = time.monotonic() + limit
        while True:
            self.read_journal()
            self.read_store()
            if same():
                return True
            if time.monotonic() > until:
                return False
            time.sleep(POLL_S)

    def halt_lies(self) -> bool:
        """Whether data/HALT is there now."""
        return (self.daemon.data / "HALT").exists()

    def head(self) -> Tail:
        """What ``data/head`` says."""
        return read_head(self.daemon.head)
