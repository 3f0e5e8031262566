"""Small real stores for the commands to read: decided by the core, written by the real log."""

from collections.abc import Iterable
from pathlib import Path

from click.testing import CliRunner, Result

from tradebaas.cli import main
from tradebaas.core.decide import Decision, decide
from tradebaas.core.events import Event
from tradebaas.core.messages import Arm, EndLife, Halt, Link, Request, StartLife
from tradebaas.core.model import Assignment
from tradebaas.core.risk import Limits
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.store.codec import encode
from tradebaas.store.folding import fold, snapshot_of
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

WALL_MS = 1_700_000_000_000
ASSIGNMENT = Assignment(
    strategy="ma_cross",
    parameters={"fast": "3", "slow": "8"},
    instrument="BTC-PERPETUAL",
    timeframe="1m",
)
STARTED = StartLife(token="t", wall_ms=WALL_MS, cause="", poisoned=False, halt_file="")
ENDED = EndLife(wall_ms=WALL_MS)
STORY: tuple[Request, ...] = (
    STARTED,
    Link(connection=1, up=True, account="paper"),
    Arm(assignment=ASSIGNMENT),
    ENDED,
)
RESTART: tuple[Request, ...] = (STARTED, ENDED)
HALTED: tuple[Request, ...] = (STARTED, Halt(by="operator", reason="lunch"), ENDED)


def write_store(
    data_dir: Path, story: Iterable[Request] = STORY, *, snapshots: bool = True
) -> State:
    """Append what ``story`` leads to, each request in a commit with a snapshot of its own."""
    log = Log.open(Place(data_dir), now_ms=WALL_MS)
    recovered = log.recover(FOLD_VERSION)
    state = fold(recovered.snapshot, recovered.tail)
    for request in story:
        decision = decide(state, request, Limits())
        assert isinstance(decision, Decision), decision
        state = decision.state
        records = [record_of(event, state.life) for event in decision.events]
        log.append(records, snapshot_of(state) if snapshots else None)
    log.close()
    return state


def record_of(event: Event, life: int) -> NewRecord:
    kind, version, body = encode(event)
    return NewRecord(at_ms=WALL_MS, life=life, kind=kind, version=version, body=body)


def tradebaas(*arguments: object) -> Result:
    """Run the command in this process; ``SystemExit`` and its output are in the result."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
