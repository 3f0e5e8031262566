"""Reads what the daemon shows, without a pause, while something else is done to it.

A state that was shown must be in the log whatever happens next, so the reads that matter are those
under way when the process is killed; a driver that reads and kills by turns never has one. Only
answers that came whole are kept. Never judges.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.real.api import address_of, views
from chaos.real.driver import Driver
from chaos.world.oracle import Published

PAUSE_S = 0.004


@contextmanager
def looking(driver: Driver) -> Iterator[None]:
    """Read all the time within the body; what was shown goes to the driver's witness."""
    seen: list[Published] = []
    over = threading.Event()
    thread = threading.Thread(target=_look, args=(driver.daemon.data, over, seen))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        driver.witness.published += seen


def _look(data: Path, over: threading.Event, seen: list[Published]) -> None:
    """Whichever process the data directory names is asked, and may be gone already."""
    while not over.wait(PAUSE_S):
        api = address_of(data)
        if api is not None:
            seen += views(api)
