"""The embedded exchange as a process of its own: killed, started again, stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import open_websocket_url

BTC = "BTC-PERPETUAL"
Batch = list[tuple[str, dict[str, Any]]]


@contextmanager
def exchange(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run an exchange; kill it at the end if it still lives."""
    source = Path(__file__).parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-m", "tradebaas.paper", "--directory", str(directory), *options],
        env={**os.environ, "PYTHONPATH": str(source)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def talk(directory: Path, calls: Batch, process: subprocess.Popen[str]) -> list[Any]:
    """Wait until the exchange listens, log in, make the calls and return the results."""
    path = directory / "address"
    with trio.fail_after(20):
        while not (path.exists() and json.loads(path.read_text())["pid"] == process.pid):
            assert process.poll() is None, process.communicate()[1]
            await trio.sleep(0.02)
        results = []
        login = {"client_id": "paper", "client_secret": "paper-secret"}
        first = ("public/auth", {"grant_type": "client_credentials", **login})
        async with open_websocket_url(json.loads(path.read_text())["url"]) as socket:
            for number, (method, params) in enumerate([first, *calls]):
                frame = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                await socket.send_message(json.dumps(frame))
                answer = json.loads(await socket.get_message())
                assert answer["id"] == number
                results.append(answer.get("result", answer.get("error")))
    return results[1:]


ENTRY: dict[str, Any] = {
    "instrument_name": BTC,
    "amount": 1000,
    "type": "market",
    "label": "e",
    "linked_order_type": "one_triggers_one_cancels_other",
    "otoco_config": [
        {"direction": "sell", "amount": 1000, "price": 90000, "label": "t", "reduce_only": True},
        {
            "direction": "sell",
            "amount": 1000,
            "type": "stop_market",
            "trigger": "mark_price",
            "trigger_price": 30000,
            "label": "s",
            "reduce_only": True,
        },
    ],
}
LOOK: Batch = [
    ("private/get_open_orders", {}),
    ("private/get_position", {"instrument_name": BTC}),
    ("private/get_account_summary", {"currency": "BTC"}),
    ("private/get_user_trades_by_instrument", {"instrument_name": BTC}),
    ("public/get_time", {}),
]


async def test_after_sigkill_everything_answered_is_there_and_goes_on(tmp_path: Path) -> None:
    options = ("--speed", "lockstep", "--admin")
    with exchange(tmp_path, *options) as process:
        before = await talk(tmp_path, [("private/buy", ENTRY), *LOOK], process)
        tick = before[-1] // 60_000 * 60_000 - 60_000
        done = ("public/candle_done", {"instrument_name": BTC, "tick": tick})
        before = await talk(tmp_path, [done], process)
        before = await talk(tmp_path, LOOK, process)
        process.send_signal(signal.SIGKILL)
    assert before[1]["size"] == 1000
    with exchange(tmp_path, *options) as process:
        after = await talk(tmp_path, LOOK, process)
        assert after[0] == before[0]
        assert after[1]["size"] == 1000
        assert after[1]["mark_price"] == before[1]["mark_price"]
        assert after[2]["balance"] == before[2]["balance"]
        assert after[3] == before[3]
        assert before[4] - 1000 <= after[4] < before[4] + 60_000
        # The stop that rested while it was dead still fires, under new ids.
        results = await talk(tmp_path, [("admin/price", {"price": 29000}), *LOOK], process)
        assert (results[1], results[2]["size"]) == ([], 0)
        ids = [trade["trade_id"] for trade in results[4]["trades"]]
        assert len(set(ids)) == 2


async def test_a_paced_clock_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    options = ("--speed", "60", "--start-ms", "1640995200000")
    with exchange(tmp_path, *options) as process:
        (killed_at,) = await talk(tmp_path, [LOOK[-1]], process)
        process.send_signal(signal.SIGKILL)
    with exchange(tmp_path, *options) as process:
        (now,) = await talk(tmp_path, [LOOK[-1]], process)
    assert killed_at - 60_000 <= now < killed_at + 120_000


async def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with exchange(tmp_path) as process:
            await talk(tmp_path, LOOK, process)
            process.send_signal(number)
            assert process.wait(10) == 0
        assert not (tmp_path / "address").exists()


def test_what_cannot_work_exits_with_a_reason(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("timestamp,open,high,low,close,volume\n2022-01-01 00:01:00,1,2,1,x,5\n")
    cases = [
        (("--candles", str(bad)), 78, "row 2, column close: 'x' is not a number"),
        (("--speed", "1000"), 78, "lockstep"),
    ]
    for options, code, text in cases:
        with exchange(tmp_path / "d", *options) as process:
            _, error = process.communicate(timeout=20)
            assert process.returncode == code
            assert text in error
    (tmp_path / "d" / "exchange.db").write_bytes(b"not a database" * 100)
    with exchange(tmp_path / "d") as process:
        _, error = process.communicate(timeout=20)
        assert process.returncode == 75
        assert "exchange.db" in error


@pytest.mark.parametrize("damage", ["gone", "empty"])
async def test_a_journal_that_got_lost_is_not_begun_anew_in_silence(
    tmp_path: Path, damage: str
) -> None:
    home = tmp_path / "home"
    with exchange(home) as process:
        await talk(home, LOOK, process)
    journal = home / "exchange.db"
    journal.unlink() if damage == "gone" else journal.write_bytes(b"")
    for _ in range(2):
        with exchange(home) as process:
            _, error = process.communicate(timeout=20)
            assert process.returncode == 75
    assert f"begin afresh with: mv {home} {home}-lost. " in error
    home.rename(f"{home}-lost")
    with exchange(home) as process:
        await talk(home, LOOK, process)
