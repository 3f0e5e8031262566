"""status, halt, resume and the rest when no daemon answers: clear words, and no false promise."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.cli.stores import HALTED, tradebaas, write_store
from tradebaas.commands import halting
from tradebaas.commands.remote import lock_holder
from tradebaas.store.place import Place


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """A daemon holds the directory."""
    descriptor = os.open(Place(data).lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def test_status_shows_the_last_state_of_the_store(data: Path) -> None:
    write_store(data)
    shown = tradebaas("status", "--data", data)
    assert shown.exit_code == 1
    assert "no daemon runs" in shown.stderr
    assert "tradebaas run" in shown.stderr
    assert "ma_cross on BTC-PERPETUAL 1m, armed" in shown.stdout
    as_json = json.loads(tradebaas("status", "--data", data, "--json").stdout)
    assert as_json["status"] == "down"
    assert as_json["state"]["phase"] == "ANALYZING"


def test_status_of_a_starting_daemon_names_its_process(data: Path) -> None:
    write_store(data)
    with locked(data):
        assert f"process {os.getpid()} runs on {data}" in tradebaas("status", "--data", data).stderr


def test_a_stale_address_is_no_daemon(data: Path) -> None:
    write_store(data)
    gone = 4_194_305  # above the largest pid
    (data / "address").write_text(json.dumps({"http": "http://127.0.0.1:9", "pid": gone}))
    assert "is gone" in tradebaas("status", "--data", data).stderr


@pytest.mark.parametrize("text", ["", "{", '{"http": 5, "pid": 1}'])
def test_an_unreadable_address_is_no_daemon(data: Path, text: str) -> None:
    write_store(data)
    (data / "address").write_text(text)
    result = tradebaas("status", "--data", data)
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_a_port_that_nobody_serves_is_no_daemon(data: Path) -> None:
    write_store(data)
    (data / "address").write_text(json.dumps({"http": "http://127.0.0.1:9", "pid": os.getpid()}))
    assert "does not answer" in tradebaas("status", "--data", data).stderr


@pytest.mark.parametrize("command", ["start", "stop", "close"])
def test_commands_need_a_daemon(data: Path, command: str) -> None:
    write_store(data)
    result = tradebaas(command, "--data", data)
    assert result.exit_code == 1
    assert "no daemon runs" in result.stderr


def test_halt_leaves_the_file_and_resume_takes_it_back(data: Path) -> None:
    write_store(data)
    halted = tradebaas("halt", "over", "--data", data)
    assert halted.exit_code == 0
    assert "next one starts halted" in halted.output
    assert Place(data).halt.read_text() == "operator: over"
    resumed = tradebaas("resume", "--data", data)
    assert resumed.exit_code == 0
    assert "operator: over" in resumed.output
    assert not Place(data).halt.exists()
    again = tradebaas("resume", "--data", data)
    assert again.exit_code == 1
    assert "nothing is halted" in again.stderr


def test_halt_before_the_first_start(data: Path) -> None:
    data.mkdir()
    assert tradebaas("halt", "--data", data).exit_code == 0
    assert tradebaas("resume", "--data", data, "--json").exit_code == 0


def test_resume_does_not_touch_a_halt_that_the_store_holds(data: Path) -> None:
    write_store(data, HALTED)
    tradebaas("halt", "--data", data)
    result = tradebaas("resume", "--data", data)
    assert result.exit_code == 1
    assert "only a running daemon can lift that" in result.stderr
    assert Place(data).halt.exists()


def test_halt_does_not_promise_what_a_deaf_daemon_has_not_stored(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halting, "ATTEMPTS", 2)
    write_store(data)
    with locked(data):
        halted = tradebaas("halt", "--data", data)
        resumed = tradebaas("resume", "--data", data)
    assert halted.exit_code == 1
    assert "has not stored that within 1 s" in halted.stderr
    assert Place(data).halt.exists()
    assert resumed.exit_code == 1
    assert Place(data).halt.exists(), "a daemon that may read it is running"


def test_halt_of_a_daemon_without_http_is_seen_in_its_log(data: Path) -> None:
    write_store(data, HALTED)
    with locked(data):
        halted = tradebaas("halt", "--data", data)
        as_json = tradebaas("halt", "--data", data, "--json")
    assert halted.exit_code == 0
    assert "the daemon has stored the halt" in halted.stdout
    assert json.loads(as_json.stdout)["halted"] == "now"


def test_halt_without_a_data_directory_says_so(data: Path) -> None:
    result = tradebaas("halt", "--data", data)
    assert result.exit_code == 1
    assert f"cannot write {data}/HALT" in result.stderr


def test_the_lock_is_seen_but_not_taken(data: Path) -> None:
    assert lock_holder(data) == ""
    write_store(data)
    assert lock_holder(data) == ""
    with locked(data):
        assert lock_holder(data) == f"process {os.getpid()}"
    assert lock_holder(data) == ""
