"""Which process is the embedded exchange: the one that holds its lock, and no other."""

import json
import os
from pathlib import Path

import pytest

from tradebaas import embedded
from tradebaas.config import Config
from tradebaas.paper.directory import address, locked

URL = "ws://127.0.0.1:1/ws/api/v2"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = Config(data=str(tmp_path))
    embedded.directory(made).mkdir()
    return made


def test_a_running_exchange_is_found(config: Config) -> None:
    home = embedded.directory(config)
    with locked(home), address(home, URL):
        assert embedded.find(config) == embedded.Address(url=URL, pid=os.getpid())
        assert embedded.locate(config)() == URL
    assert embedded.find(config) is None
    assert embedded.locate(config)() == ""


def test_a_pid_that_now_belongs_to_another_program_is_not_the_exchange(config: Config) -> None:
    """The address file outlives a SIGKILL, and this very process has that pid now."""
    home = embedded.directory(config)
    with locked(home):
        pass
    stale = json.dumps({"url": URL, "pid": os.getpid()})
    (home / "address").write_text(stale, encoding="utf-8")
    assert embedded.find(config) is None
    embedded.stop(config)  # must not end this test


def test_an_address_that_the_holder_did_not_write_is_not_believed(config: Config) -> None:
    home = embedded.directory(config)
    with locked(home):
        stale = json.dumps({"url": URL, "pid": 1})
        (home / "address").write_text(stale, encoding="utf-8")
        assert embedded.find(config) is None


@pytest.mark.parametrize("text", ["", "{", "{}"])
def test_an_unreadable_address_is_none(config: Config, text: str) -> None:
    (embedded.directory(config) / "address").write_text(text, encoding="utf-8")
    assert embedded.find(config) is None


@pytest.mark.parametrize(
    "content", [b'{"url": "\xee", "pid": 1}', b'{"url": "x", "pid": "y"}', b"[]"]
)
def test_a_spoilt_address_is_none(config: Config, content: bytes) -> None:
    (embedded.directory(config) / "address").write_bytes(content)
    assert embedded.find(config) is None


def test_without_a_directory_there_is_none(tmp_path: Path) -> None:
    assert embedded.find(Config(data=str(tmp_path / "nothing"))) is None
