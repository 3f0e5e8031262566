"""``tradebaas audit`` against a real exchange and a real daemon, running and killed."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaos.real.api import wait_for_api
from tests.unit.actors.process import LIMIT_S, Run, exchange_process, tradebaas
from tradebaas.audit.account import SCOPE, CouldNotLook, Reader, http_address
from tradebaas.store.audited import read_audited
from tradebaas.store.place import Place

ORDER: dict[str, str | int] = {
    "instrument_name": "BTC-PERPETUAL",
    "amount": 10,
    "type": "limit",
    "price": 1_000,
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with exchange_process(tmp_path / "exchange") as url:
        yield url


@pytest.fixture
def run_settings(url: str) -> dict[str, Any]:
    """A daemon that trades nothing by itself."""
    return {"url": url, "active": 0}


def as_owner(url: str, method: str, **params: str | int) -> dict[str, object]:
    """A call by the account's owner, from somewhere else."""
    answer = httpx.get(
        f"{http_address(url)}/{method}",
        params=params,
        auth=("paper", "paper-secret"),
    ).json()
    assert "error" not in answer, answer
    result: dict[str, object] = answer["result"]
    return result


def answering(run: Run) -> None:
    """Start it, and wait until it has recovered and its API answers, which comes a little later."""
    run.start()
    run.until(lambda s: s.last_recovery is not None, "the first recovery")
    assert wait_for_api(run.data, run.pid, LIMIT_S) is not None, run.words()


def audit(run: Run, *more: str) -> "subprocess.CompletedProcess[str]":
    return tradebaas("audit", "--config", str(run.configure()), "--pause", "1", *more, cwd=run.home)


def test_it_agrees_with_a_daemon_and_finds_what_befell_the_account_after_its_death(
    run: Run, url: str
) -> None:
    answering(run)
    agreed = audit(run)
    assert (agreed.returncode, agreed.stderr) == (0, "")
    assert "the account holds what the daemon, at event" in agreed.stdout

    as_owner(url, "private/buy", **ORDER)
    run.until(lambda s: bool(s.foreign), "the owner's order to be seen")
    assert audit(run).returncode == 0, "the daemon knows of it"

    run.signal(signal.SIGKILL)
    run.wait_end()
    as_owner(url, "private/buy", **ORDER | {"type": "market"})
    differs = audit(run, "--json")
    assert differs.returncode == 1, differs.stderr
    report = json.loads(differs.stdout)
    assert not report["same"]
    assert "which is down" in report["belief"]
    told = {found["what"]: found["exchange"] for found in report["differences"]}
    assert told == {
        "position BTC-PERPETUAL": "+10",
        "protection BTC-PERPETUAL": "+10, and stops for 0",
    }
    assert "stops for 0" in audit(run).stdout
    kept = read_audited(Place(run.data))
    assert kept is not None
    assert "protection BTC-PERPETUAL: the exchange says +10, and stops for 0" in kept.differences[1]


def test_what_could_not_be_looked_at_is_no_agreement(run: Run, url: str) -> None:
    answering(run)
    run.signal(signal.SIGSTOP)
    try:
        mute = audit(run)
    finally:
        run.signal(signal.SIGCONT)
    assert mute.returncode == 3
    first = read_audited(Place(run.data))
    assert first is not None, "the age of an audit that never could look counts as well"
    assert "HTTP does not answer" in mute.stderr
    run.signal(signal.SIGKILL)
    run.wait_end()
    run.url = "ws://127.0.0.1:1/ws/api/v2"
    gone = audit(run)
    assert gone.returncode == 3
    assert read_audited(Place(run.data)) == first
    assert "does not answer" in gone.stderr


def test_a_key_of_another_account_is_refused(run: Run, url: str) -> None:
    run.start()
    run.until(lambda s: s.last_recovery is not None, "the first recovery")
    run.signal(signal.SIGKILL)
    run.wait_end()
    with exchange_process(run.home / "another") as other:
        run.url = other
        wrong = audit(run)
    assert (wrong.returncode, wrong.stdout) == (78, "")
    assert "make a key on that account" in wrong.stderr


def test_its_token_cannot_trade(url: str) -> None:
    reader = Reader(url, "paper", "paper-secret")
    try:
        reader.log_in()
        token = reader._client.headers["Authorization"]  # what a thief of it would have
        answer = httpx.get(
            f"{http_address(url)}/private/buy", params=ORDER, headers={"Authorization": token}
        )
        assert answer.json()["error"]["code"] == 13021
    finally:
        reader.close()


def test_a_wrong_key_is_told(url: str) -> None:
    reader = Reader(url, "paper", "guessed")
    try:
        with pytest.raises(CouldNotLook, match="wrong id or secret of the auditor's key"):
            reader.log_in()
    finally:
        reader.close()
    assert "write" not in SCOPE
