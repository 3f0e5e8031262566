"""``python -m chaos fsync``: whatever was acknowledged or sent had reached the disk before.

A SIGKILL keeps the page cache, so the kill campaign cannot tell a synced commit from one that was
merely written. Here the daemon trades for a while under strace; then the trace itself must show,
for every 2xx answer that the driver got and every entry order that left for the exchange, an
fdatasync of the log between the write of its event and the first byte that promised it.
"""

import random
import shutil
import tempfile
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from chaos.real import steer
from chaos.real.admin import Admin, ExchangeGone
from chaos.real.driver import SNAPSHOT_EVERY, Driver, Stuck
from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.processes import Daemon, DidNotStart, Exchange
from chaos.real.strace import Call, Promised, Verdict, judge, parse, streams, websocket_texts
from chaos.world.ledger import LedgerBroken
from chaos.world.story import Story
from tradebaas.core.messages import Committed
from tradebaas.core.model import Phase

SPEED = 60.0
SHOWN_BYTES = 8192
TRACED = "pwrite64,write,fdatasync,fsync,sendto,sendmsg"
ENTRY_METHODS = ("private/buy", "private/sell")
LEAST_OF_EACH = 3
SKIPPED = 77
"""The exit code of a check that this machine does not permit, as test runners know it."""


class _Call(msgspec.Struct):
    method: str = ""
    params: dict[str, object] = {}


def run(seconds: float, broken: str, keep: Path | None, console: Console) -> int:
    """Trade under strace for ``seconds`` and judge the trace; the exit code (``SKIPPED`` where
    this machine permits no strace)."""
    reason = refusal(Need.STRACE)
    if reason:
        console.print(f"skipped, and so not shown: {reason}", markup=False)
        return SKIPPED
    home = keep or Path(tempfile.mkdtemp(prefix="tradebaas-fsync-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        driver = _trade(home, seconds, broken)
    except (Stuck, DidNotStart, ExchangeGone, LedgerBroken) as error:
        console.print(f"could not trade under strace: {error}", markup=False)
        return 1
    with (home / "strace.out").open(encoding="ascii", errors="replace") as trace:
        calls = parse(trace)
    verdicts = judge(calls, [*_answers(driver, calls), *_entries(driver.story, calls)])
    passed = _show(verdicts, console)
    if passed and keep is None:
        shutil.rmtree(home)
    elif not passed:
        console.print(f"trace and ledgers are kept in {home}", markup=False)
    return 0 if passed else 1


def _trade(home: Path, seconds: float, broken: str) -> Driver:
    exchange, daemon = Exchange(home / "exchange", 1, SPEED), Daemon(home, broken)
    try:
        exchange.start()
        daemon.configure(exchange.url, SNAPSHOT_EVERY)
        admin = Admin(exchange.url)
        driver = Driver(home, random.Random(1), exchange, daemon, admin)
        daemon.start(
            [
                *("strace", "-D", "-f", "-qq", "-yy", "-xx", "-s", str(SHOWN_BYTES)),
                *("-o", str(home / "strace.out"), "-e", f"trace={TRACED}", "-e", "signal=none"),
                "--",
            ]
        )
        _exercise(driver, seconds)
        admin.close()
        return driver
    finally:
        daemon.end()
        exchange.end()


def _exercise(driver: Driver, seconds: float) -> None:
    """Commands and entries until the time is over and there were enough of each."""
    until = time.monotonic() + 30
    while driver.head().seq == 0 and time.monotonic() < until:
        driver.insist_running()
        time.sleep(0.05)
    driver.await_recovery(0)
    until = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < until or rounds < LEAST_OF_EACH:
        steer.steer(driver, Phase.POSITION_OPEN)
        driver.insist("/api/position/close")
        driver.insist("/api/strategy/stop", {"close": True})
        driver.wait(lambda s: s.phase is Phase.IDLE, "IDLE after stop --close")
        driver.insist("/api/strategy/start")
        rounds += 1
    driver.read_store()


def _answers(driver: Driver, calls: list[Call]) -> list[Promised]:
    """The driver's 2xx answers, and where each began to leave.

    Raises:
        LedgerBroken: an answer was received that the trace does not have.
    """
    sent = streams(calls)
    found = []
    for promise in driver.witness.promises:
        if not promise.events:
            continue
        head = msgspec.json.encode(Committed(seq=promise.seq))
        mark = head[: head.index(b',"events"')]
        places = [
            (stream.line_of(offset), name)
            for name, stream in sent.items()
            if (offset := stream.data.find(mark + b",")) >= 0
        ]
        if not places:
            raise LedgerBroken(f"the answer with seq {promise.seq} is not in the trace")
        line, _ = min(places)
        digest = driver.story.digests[promise.seq]
        found.append(Promised(f"answer to {promise.what}, seq {promise.seq}", digest, line))
    return found


def _entries(story: Story, calls: list[Call]) -> list[Promised]:
    """The entry orders on the wire to the exchange."""
    found = []
    for stream in streams(calls).values():
        if not stream.data.startswith(b"GET "):
            continue
        for line, text in websocket_texts(stream):
            call = msgspec.json.decode(text, type=_Call)
            label = str(call.params.get("label", ""))
            if call.method in ENTRY_METHODS and not call.params.get("reduce_only"):
                digest = story.digests[story.intent_seqs[label]]
                found.append(Promised(f"entry {label}", digest, line))
    return found


def _show(verdicts: list[Verdict], console: Console) -> bool:
    """Print the verdicts; whether all are sound and there were enough of each kind."""
    flawed = [verdict for verdict in verdicts if verdict.flaw]
    table = Table(title="synced before it was promised", show_header=True)
    for column in ("promise", "count", "not synced before"):
        table.add_column(column)
    enough = True
    for kind in ("answer", "entry"):
        mine = [v for v in verdicts if v.promised.what.startswith(kind)]
        bad = [v for v in mine if v.flaw]
        table.add_row({"answer": "HTTP 2xx", "entry": "entry order"}[kind],
                      str(len(mine)), str(len(bad)))  # fmt: skip
        enough = enough and len(mine) >= LEAST_OF_EACH
    console.print(table)
    for verdict in flawed:
        console.print(f"{verdict.promised.what}: {verdict.flaw}", markup=False)
    if not enough:
        console.print(f"fewer than {LEAST_OF_EACH} of a kind: this run shows nothing")
    return enough and not flawed
