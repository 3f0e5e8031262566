"""Runs a child process to its end, or leaves it alone.

A child that waits for a disk that hangs cannot be killed. ``trio.run_process`` would wait for its
death even when cancelled, and so would whoever was cancelled with it: a crew could not be started
again.
"""

import subprocess
from collections.abc import Sequence

import trio

KILL_S = 1.0


async def run_child(
    command: Sequence[str], given: bytes, within: float
) -> tuple[int, bytes] | None:
    """Its exit code and what it wrote, stdout and stderr together; it reads ``given``.

    After ``within`` seconds it is killed: None once it is dead, since whoever asks again must not
    gather many that cannot die. Cancelled: it is killed, and left to the system if it has not died
    within a second.

    Raises:
        OSError: It could not be started.
    """
    process = await trio.lowlevel.open_process(
        list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with trio.move_on_after(within):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_feed, process.stdin, given)
                said = b"".join([part async for part in process.stdout])
                return await process.wait(), said
        process.kill()
        await process.wait()
        return None
    finally:
        with trio.move_on_after(KILL_S, shield=True):
            if process.poll() is None:
                process.kill()
                await process.wait()
        await trio.aclose_forcefully(process.stdout)


async def _feed(stdin: trio.abc.SendStream, given: bytes) -> None:
    """A child that does not read what it is given is no fault of ours."""
    async with stdin:
        try:
            await stdin.send_all(given)
        except trio.BrokenResourceError:
            return
