"""What a real session writes: the thread of a trade in JSON, and no secret anywhere."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from notice_kit import Service, service

from tests.unit.actors.process import Run, exchange_process, tradebaas

SECRET, TOKEN = "hunter2-and-more", "token-of-the-service"
CLIENT = "me"
LOUD = '\n[log]\nlevel = "debug"\nformat = "json"\n'
TELLTALE = '''\
"""A strategy that says what it must not: the secret of its process, in an exception."""

import os
from decimal import Decimal

from tests.unit.actors.eager import Eager


class Telltale(Eager):
    def evaluate(self, candles, position, values):
        if position is not None:
            raise ValueError(f"{os.environ['TRADEBAAS_CLIENT_SECRET']} is what I know")
        return super().evaluate(candles, position, values)
'''


@pytest.fixture
def web() -> Iterator[Service]:
    with service() as here:
        yield here


@pytest.fixture
def run_settings(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with exchange_process(tmp_path / "exchange", "--account", f"{CLIENT}:{SECRET}:1") as url:
        yield {"url": url, "client": CLIENT, "more": LOUD}


def lines(run: Run) -> list[dict[str, object]]:
    """What was written; all of it is JSON."""
    return [json.loads(line) for line in run.log.read_text(encoding="utf-8").splitlines()]


def test_one_id_leads_from_the_signal_to_the_closed_trade(run: Run) -> None:
    run.start(TRADEBAAS_CLIENT_SECRET=SECRET)
    run.covered()
    close = ("close", "--data", str(run.data))
    run.poll(lambda: tradebaas(*close, cwd=run.home).returncode == 0, "HTTP")
    trade = run.until(lambda state: state.last_trade is not None, "a closed trade").last_trade
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    assert trade is not None
    thread = [line for line in lines(run) if line.get("signal") == trade.signal_id]
    kinds = [line["kind"] for line in thread]
    assert kinds[0] == "SignalDetected"
    assert {"OrderIntended", "OrderUpdated", "Filled", "TradeClosed"} <= set(kinds)
    orders = {str(line["order"])[-2:] for line in thread if "order" in line}
    assert orders >= {"-e", "-s", "-t", "-c"}  # entry, stop, take and close
    assert all({"at", "level", "message", "seq", "life", "actor"} <= line.keys() for line in thread)


def test_a_session_writes_no_secret(run: Run, web: Service, tmp_path: Path) -> None:
    """At its loudest, with a traceback that has the secret, and a service that refuses."""
    strategy = tmp_path / "telltale.py"
    strategy.write_text(TELLTALE, encoding="utf-8")
    run.strategy = f"{strategy}:Telltale"
    web.answers = [403] * 3
    run.start(
        TRADEBAAS_CLIENT_SECRET=SECRET,
        TRADEBAAS_NOTICE_URLS=web.address(TOKEN),
        PYTHONPATH=f"{Path(__file__).parents[2]}:{Path(__file__).parents[2] / 'src'}",
    )
    run.poll(lambda: "is what I know" in run.log.read_text(), "the traceback")
    run.poll(lambda: "was not delivered" in run.log.read_text(), "a refused notice")
    run.poll(lambda: (run.data / "token").exists(), "the token of the API")
    own = (run.data / "token").read_text().strip()
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
    assert run.log.read_text().count("[secret]") >= 1
    for place in (run.log, *sorted(run.data.rglob("*"))):
        if place.is_file() and place.name != "token":
            content = place.read_bytes()
            for secret in (SECRET, TOKEN, own):
                assert secret.encode() not in content, (place, secret)


def test_the_last_words_of_a_refused_start_hold_no_secret(run: Run, tmp_path: Path) -> None:
    """Whatever the last exception says."""
    code = (
        "import os\n"
        "from tradebaas.output import OUTPUT\n"
        "from tradebaas.settings import LogSection\n"
        f"OUTPUT.configure(LogSection(), [{SECRET!r}])\n"
        f"raise ValueError('no login with ' + {SECRET!r})\n"
    )
    read, write = os.pipe()
    run.program = ("-c", code)
    process = run.spawn(stdout=write)
    os.close(write)
    assert process.wait(20) == 1
    os.close(read)
    words = run.log.read_text(encoding="utf-8")
    assert "ValueError: no login with [secret]" in words
    assert SECRET not in words.replace(f"{SECRET!r}", "")
