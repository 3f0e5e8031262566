"""``data/address``: where HTTP answers, for as long as it does, so that the commands find it.

A disk that does not take the file (full, read-only) is no reason not to serve: it is when people
most need to see what is wrong. It is tried again until the disk does. One that stalls must not stop
the loop, so a thread writes.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

import trio

from tradebaas.runtime.ports import Ports

RETRY_S = 2.0
REMOVE_S = 1.0


async def keep_address(
    file: Path,
    url: str,
    ports: Ports,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Write ``file`` whole as soon as it can be, and take it away when cancelled."""
    async with ports.open_blocking("address") as worker:
        try:
            written = await worker.run(_write, file, url)
            task_status.started()
            while not written:
                await trio.sleep(RETRY_S)
                written = await worker.run(_write, file, url)
            await trio.sleep_forever()
        finally:
            with trio.move_on_after(REMOVE_S, shield=True):
                await worker.run(_remove, file)


def _write(file: Path, url: str) -> bool:
    fresh = file.with_suffix(".new")
    try:
        fresh.write_text(json.dumps({"http": url, "pid": os.getpid()}), encoding="utf-8")
        fresh.replace(file)
    except OSError:
        _remove(fresh)
        return False
    return True


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
