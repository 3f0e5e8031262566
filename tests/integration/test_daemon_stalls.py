"""The real process on a disk that hangs: what trades goes on as long as it needs no disk."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.actors.process import Run
from tests.unit.stalled import Stalled


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A daemon on the embedded exchange; everything is gone afterwards."""
    made = Run(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_a_token_that_cannot_be_read_yet_keeps_http_waiting_and_nothing_else(run: Run) -> None:
    run.data.mkdir()
    token = Stalled(run.data / "token", late_s=60)
    try:
        run.start()
        run.covered()
        seen = run.state().seq
        run.until(lambda s: s.seq > seen + 1, "what is committed now and then", within=50)
        assert "HTTP on" not in run.log.read_text()
        assert not token.late
    finally:
        token.let_go(b"a" * 64)
    run.poll(lambda: "HTTP on" in run.log.read_text(), "HTTP")
    run.signal(signal.SIGTERM)
    assert run.wait_end() == 0
