"""The right to act: the lock of the data directory, as far as the disk lets anybody take it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tradebaas.store.lock import Lock
from tradebaas.store.place import Place


@contextmanager
def claimed(place: Place, now_ms: int) -> Iterator[None]:
    """Hold the lock. A disk that gives it to nobody keeps nobody: a daemon could not start on it.

    Raises:
        StoreBusy: another process holds it, so acting is its affair.
    """
    try:
        lock = Lock.take(place, now_ms)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()
