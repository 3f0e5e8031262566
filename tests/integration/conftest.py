"""For all tests of the real process: a daemon, and an exchange that does not belong to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.actors.process import Books, Run, exchange_process


@pytest.fixture
def run_settings() -> dict[str, Any]:
    """How ``run`` is made; a file whose daemon is another one overrides this."""
    return {}


@pytest.fixture
def run(tmp_path: Path, run_settings: dict[str, Any]) -> Iterator[Run]:
    """A daemon on the embedded exchange; everything is gone afterwards."""
    made = Run(tmp_path, **run_settings)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def exchange(tmp_path: Path, run: Run) -> Iterator[Books]:
    """An exchange that does not belong to the daemon."""
    with exchange_process(tmp_path / "exchange") as url:
        run.url = url
        yield Books(tmp_path / "exchange" / "exchange.db")
