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
from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console

from chaos.mutants import FSYNC_MUTANTS
from chaos.real import steer
from chaos.real.admin import Admin, ExchangeGone
from chaos.real.driver import SNAPSHOT_EVERY, Driver, Stuck
from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.processes import Daemon, DidNotStart, Exchange
from chaos.real.strace import Call, Promised, judge, parse, streams, websocket_texts
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Finding, Run, Tally, Verdict, Visits
from chaos.world.ledger import LedgerBroken
from chaos.world.story import Story
from tradebaas.core.messages import Committed
from tradebaas.core.model import Phase

SPEED = 60.0
SHOWN_BYTES = 8192
TRACED = "pwrite64,write,fdatasync,fsync,sendto,sendmsg"
ENTRY_METHODS = ("private/buy", "private/sell")
KINDS = {"answer": "answers", "entry": "entry orders"}
"""What is promised: an HTTP answer of 2xx, and an entry order."""
LEAST_OF_EACH = 3
COMMIT_S = 5.0
"""How long what was answered last may take to be in the store."""
SKIPPED = 77
"""The exit code of a check that this machine does not permit, as test runners know it."""


class _Call(msgspec.Struct):
    method: str = ""
    params: dict[str, object] = {}


@click.command("fsync")
@click.option(
    "--seconds",
    type=click.FloatRange(0),
    default=8.0,
    show_default=True,
    help="How long to trade under strace; at least three times in and out.",
)
@click.option("--break", "broken", type=click.Choice(FSYNC_MUTANTS), help="A mutant.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the trace and ledgers here.")
@output_options
def fsync_command(seconds: float, broken: str | None, keep: Path | None, output: Output) -> None:
    """Show that whatever was acknowledged or sent had reached the disk before.

    Exit 0 if so, else 1; 77 where this machine permits no strace, and so nothing was shown.
    """  # fmt: skip
    reason = refusal(Need.STRACE)
    if reason:
        click.echo(f"skipped, and so not shown: {reason}")
        raise SystemExit(SKIPPED)
    started, began = machine.now(), time.monotonic()
    home = keep or Path(tempfile.mkdtemp(prefix="tradebaas-fsync-"))
    home.mkdir(parents=True, exist_ok=True)
    tally = run(home, seconds, broken or "")
    made = Run(
        title="Synced before it was promised",
        command=f"python -m chaos fsync --seconds {seconds:g}"
        + (f" --break {broken}" if broken else ""),
        unit="promises",
        trials=tally.checked["Durable"],
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=round(time.monotonic() - began, 1),
    )
    code = deliver(Verdict(made, tally), output, Console())
    if code:
        click.echo(f"trace and ledgers are kept in {home}")
    elif keep is None:
        shutil.rmtree(home)
    raise SystemExit(code)


def run(home: Path, seconds: float, broken: str = "") -> Tally:
    """Trade under strace for ``seconds`` and judge the trace."""
    try:
        driver = _trade(home, seconds, broken)
        with (home / "strace.out").open(encoding="ascii", errors="replace") as trace:
            calls = parse(trace)
        judged = judge(calls, [*_answers(driver, calls), *_entries(driver.story, calls)])
    except (Stuck, DidNotStart, ExchangeGone, LedgerBroken) as error:
        check = "Durable" if isinstance(error, LedgerBroken) else "Alive"
        return Tally(checked={"Durable": 0}, findings=(Finding(check, "under strace", str(error)),))
    counted = Counter(one.promised.what.partition(" ")[0] for one in judged)
    return Tally(
        checked={"Durable": len(judged)},
        things={"Durable": {KINDS[kind]: number for kind, number in counted.items()}},
        rare={kind: Visits(counted[kind], LEAST_OF_EACH) for kind in KINDS},
        findings=tuple(
            Finding("Durable", one.promised.what, one.flaw, f"line {one.promised.sent}")
            for one in judged
            if one.flaw
        ),
    )


def _trade(home: Path, seconds: float, broken: str) -> Driver:
    exchange, daemon = Exchange(home / "exchange", 1, SPEED), Daemon(home, broken)
    try:
        exchange.start()
        daemon.configure(exchange.url, SNAPSHOT_EVERY)
        admin = Admin(exchange.url)
        driver = Driver(home, random.Random(1), exchange, daemon, admin)
        driver.witness.begin(0, halt_file=False)
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
    until = time.monotonic() + COMMIT_S
    while not _holds_promises(driver) and time.monotonic() < until:
        time.sleep(0.05)


def _holds_promises(driver: Driver) -> bool:
    """Whether the store, read anew, has all that was answered; a broken daemon may lag behind."""
    driver.read_store()
    return all(promise.seq in driver.story.digests for promise in driver.witness.promises)


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
        digest = driver.story.digests.get(promise.seq)
        if digest is None:
            raise LedgerBroken(f"the answer with seq {promise.seq} is not in the store")
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
