"""After a restore: what the exchange did since the backup is read from it, and listed whole."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.actors.process import Books, Run, exchange_process, tradebaas
from tradebaas.core.events import Filled, OrderIntended
from tradebaas.core.model import Role, role_of
from tradebaas.store.catalogue import newest_intact, read_restored
from tradebaas.store.gap import Gap, read_gap
from tradebaas.store.place import Place

AUTO = "\n[backups]\nauto_restore = true\n"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A daemon on an exchange of its own process; everything is gone afterwards."""
    with exchange_process(tmp_path / "exchange") as url:
        made = Run(tmp_path, url)
        try:
            yield made
        finally:
            made.end()


@pytest.fixture
def exchange(tmp_path: Path, run: Run) -> Books:
    return Books(tmp_path / "exchange" / "exchange.db")


def done(run: Run, *arguments: str) -> str:
    """What a command says; it has to succeed."""
    config = str(run.home / "tradebaas.toml")
    found = tradebaas(*arguments, "--config", config, cwd=run.home)
    assert found.returncode == 0, found
    return found.stdout


def traded_on_after_the_backup(run: Run) -> str:
    """A backup is made with a position open; that one is closed, and another one opened. Then the
    daemon ends. The name of the backup."""
    run.start()
    run.covered()
    run.poll(lambda: (run.data / "address").exists(), "HTTP")
    done(run, "backup", "create")
    name = newest_intact(Place(run.data))
    assert name is not None
    done(run, "close")
    run.until(lambda state: state.counters.trades > 0, "a closed trade")
    run.covered()
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    return name


def recovered_gap(run: Run) -> Gap:
    """The gap, once the daemon has recovered, and closed what was open."""
    run.until(lambda state: state.halted is not None and state.position is None, "flat")
    gap = read_gap(Place(run.data))
    assert gap is not None
    return gap


@pytest.mark.parametrize("unattended", [False, True])
def test_the_gap_has_exactly_the_fills_that_came_after_the_backup(
    run: Run, exchange: Books, unattended: bool
) -> None:
    run.more = AUTO if unattended else ""
    name = traded_on_after_the_backup(run)
    lost = [event.fill for event in run.events() if isinstance(event, Filled)]
    if unattended:
        with (run.data / "tradebaas.db").open("r+b") as file:
            file.truncate(5_000)
    else:
        done(run, "backup", "restore", name)
        before = read_gap(Place(run.data))
        assert before is not None
        assert (before.finished, before.fills) == (False, ())
        assert "not known before a start has read the account" in done(run, "backup", "gap")
    run.start()
    gap = recovered_gap(run)
    note = read_restored(Place(run.data))
    assert note is not None
    events = run.events()
    kept = {event.fill.key for event in events[: note.seq] if isinstance(event, Filled)}
    if unattended:
        assert f"backup gap --data {run.data}` lists what it did not have" in run.words()
    assert gap.finished
    assert gap.backup == name
    assert gap.fills == tuple(fill for fill in lost if fill.key not in kept)
    own = [event.intent.label for event in events[note.seq :] if isinstance(event, OrderIntended)]
    assert own, "the restored daemon has closed what was open"
    sent = {str(trade["label"]) for trade in exchange.trades()}
    known = {fill.label for fill in lost if fill.key in kept}
    assert {fill.label for fill in gap.fills} == sent - set(own) - known
    assert [trade.number for trade in gap.trades] == [1]
    legs = {(role_of(order.label), order.live) for order in gap.orders}
    assert legs == {(role, live) for role in (Role.STOP, Role.TAKE) for live in (False, True)}
    assert len(gap.orders) == 4
    assert not {order.label for order in gap.orders} & set(own)


def test_an_operator_reads_the_gap_in_three_places(run: Run) -> None:
    done(run, "backup", "restore", traded_on_after_the_backup(run))
    run.start()
    gap = recovered_gap(run)
    listed = done(run, "backup", "gap")
    for fill in gap.fills:
        assert fill.label in listed
    assert "trade 1 closed: long" in listed
    run.poll(lambda: (run.data / "address").exists(), "HTTP")
    words = "not in it: 2 fills, 4 orders, 1 trade, 2 other findings"
    assert words in listed
    assert words in done(run, "status")
    told = json.loads(done(run, "backup", "gap", "--json"))["restored"]
    assert [fill["trade_id"] for fill in told["fills"]] == [fill.trade_id for fill in gap.fills]
