"""A child process that no signal reaches, since it waits for a disk that hangs."""

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from chaos.real.fault import Need
from chaos.real.permitted import refusal
from chaos.real.volume import Volume
from tests.unit.cli.stores import tradebaas, write_store
from tradebaas.runtime.ports import run_self

THAWS_S = 15.0


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    reason = refusal(Need.VOLUME)
    if reason:
        pytest.skip(f"no disk can be frozen here: {reason}")
    made = Volume(tmp_path, "ext4", 32)
    yield made
    made.end()


@pytest.mark.parametrize("within", [2.0, 60.0])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is left alone
async def test_who_is_cancelled_does_not_wait_for_its_death(
    within: float, tmp_path: Path, volume: Volume
) -> None:
    """The second place of the backups may be such a mount, and the crew must be able to end."""
    data = tmp_path / "data"
    data.mkdir()
    write_store(data)
    tradebaas("backup", "create", "--data", data)
    volume.freeze()
    thaw = threading.Timer(THAWS_S, volume.thaw)
    thaw.start()
    began = trio.current_time()
    with trio.move_on_after(4.0):
        await run_self(("backup", "copy", "--data", str(data), str(volume.root)), within)
    assert trio.current_time() - began < THAWS_S - 5
    thaw.cancel()
    thaw.join()
    with suppress(OSError):  # it has thawed by itself, too late
        volume.thaw()
    gc.collect()  # what Python says of a child that was left belongs to this test
