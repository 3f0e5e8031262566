"""Attaches strace to the running daemon, to make its system calls fail or wait for a while."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.real.driver import Stuck

ATTACH_LIMIT_S = 5.0


@contextmanager
def injected(pid: int, syscall: str, what: str, log: Path) -> Iterator[None]:
    """Within the block every ``syscall`` of the process meets ``what`` (strace's own words).

    Raises:
        Stuck: strace does not get hold of the process in time.
    """
    command = ["strace", "-f", "-qq", "-p", str(pid), "-o", str(log)]
    command += ["-e", f"trace={syscall}", "-e", f"inject={syscall}:{what}"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as tracer:
        try:
            _await_attached(pid, tracer)
            yield
        finally:
            tracer.terminate()  # lets go of the process


def _await_attached(pid: int, tracer: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + ATTACH_LIMIT_S
    while time.monotonic() < until and tracer.poll() is None:
        if all(_is_traced(task) for task in Path(f"/proc/{pid}/task").iterdir()):
            return
        time.sleep(0.005)
    raise Stuck(f"strace did not attach to process {pid}")


def _is_traced(task: Path) -> bool:
    status = (task / "status").read_text(encoding="ascii")
    return "\nTracerPid:\t0\n" not in status
