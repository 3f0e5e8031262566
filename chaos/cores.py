"""Work on all cores: processes that a signal to the whole group ends at once, without a word.

A batch that Ctrl-C or SIGTERM ends has no verdict: what it has not played may be what breaks. It
says so and ends with 128 + the signal, as shells have it, so that nobody takes it for a violation.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from types import FrameType
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOLD = b"ended early: no verdict\n"


@contextmanager
def cores(
    begin: Callable[[], None] | None = None, context: BaseContext | None = None
) -> Iterator[ProcessPoolExecutor]:
    """A pool with a worker for each core; ``begin`` is called in each of them first."""
    before = {number: signal.signal(number, _end) for number in SIGNALS}
    try:
        with ProcessPoolExecutor(os.cpu_count(), context, begin) as pool:
            yield pool
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_order(
    pool: ProcessPoolExecutor, work: Callable[[Job], Result], jobs: Iterable[Job]
) -> Iterator[tuple[Job, Result]]:
    """Every job with its result, in the order of the jobs.

    Not ``pool.map``: it cancels what is left when it is closed, and a pool whose workers were
    killed stumbles over that.
    """
    for job, future in handed_out(pool, work, jobs):
        yield job, future.result()


def handed_out(
    pool: ProcessPoolExecutor, work: Callable[[Job], Result], jobs: Iterable[Job]
) -> list[tuple[Job, "Future[Result]"]]:
    """Every job with what will become its result.

    The first one starts the workers, which never hear a signal: whoever made them ends them.
    """
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return [(job, pool.submit(work, job)) for job in jobs]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _end(number: int, _frame: FrameType | None) -> None:
    """At once, whatever the workers still have to do."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # another one would cut the taking down short
    os.write(2, TOLD)  # print is not reentrant
    for child in multiprocessing.active_children():
        child.kill()
    raise SystemExit(128 + number)
