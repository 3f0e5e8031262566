"""Walking a whole store: is every record the one that was written?

A verification is a value that names the first bad record; it never repairs, and never raises for
what it is there to find. It may begin where an earlier one ended, since a chain that holds from
there on, with the same digest there, holds from the start.
"""

from collections.abc import Callable

import apsw
import msgspec
from msgspec import Struct

from tradebaas.errors import StoreDamaged
from tradebaas.store import rows
from tradebaas.store.place import Place
from tradebaas.store.reader import Reader, open_reader
from tradebaas.store.records import EMPTY, Head, follows

Progress = Callable[[int, int], None]
"""Called now and then with (records walked, records to walk)."""

_PROGRESS_EVERY = 5000
_UNREADABLE = (apsw.Error, msgspec.ValidationError, UnicodeDecodeError)


class Verification(Struct, frozen=True, kw_only=True):
    """What was found. ``good`` is the end of the part, from ``start`` on, that is as written.

    ``problem`` is "" when all is well; ``bad_seq`` then is None, as it is when the problem is not
    that of one record.
    """

    start: Head
    good: Head
    problem: str = ""
    bad_seq: int | None = None


def verify(
    place: Place, since: Head = EMPTY, stated: Head | None = None, progress: Progress | None = None
) -> Verification:
    """Verify the store of ``place`` from ``since`` on.

    ``stated`` is a head that the log must contain, such as that of ``data/head``. From the start
    on (``since`` not given), SQLite's own integrity check runs as well.

    Raises:
        Unusable, StoreNewer, StoreFault: The file cannot be opened at all.
    """
    try:
        with open_reader(place) as reader:
            return verify_reader(reader, since, stated, progress)
    except StoreDamaged as error:
        return Verification(start=since, good=since, problem=str(error))


def verify_reader(
    reader: Reader,
    since: Head,
    stated: Head | None,
    progress: Progress | None,
    *,
    integrity: bool = False,
) -> Verification:
    """As ``verify``, of an open store; with ``integrity`` SQLite's check runs in any case."""
    result = _walk(reader, since, progress)
    checks = [_snapshots_problem]
    if integrity or since == EMPTY:
        checks.append(_integrity_problem)
    for check in checks:
        if not result.problem:
            result = msgspec.structs.replace(result, problem=check(reader))
    if not result.problem and stated is not None and reader.head_at(stated.seq) != stated:
        problem = f"the log must hold record {stated.seq} of data/head and does not: it was cut"
        result = msgspec.structs.replace(result, problem=problem, bad_seq=stated.seq)
    return result


def _walk(reader: Reader, since: Head, progress: Progress | None) -> Verification:
    """The chain from ``since`` to the end that the log had when the walk began."""
    good = since
    try:
        if rows.head_at(reader.connection, since.seq) != since:
            problem = f"record {since.seq} is not the one that was verified before"
            return Verification(start=since, good=EMPTY, problem=problem, bad_seq=since.seq)
        last = rows.last_head(reader.connection)
        for record in rows.each_record(reader.connection, since.seq):
            if not follows(good, record):
                break
            good = record.head
            done = good.seq - since.seq
            if progress is not None and (done % _PROGRESS_EVERY == 0 or good == last):
                progress(done, last.seq - since.seq)
            if good == last:
                break
    except _UNREADABLE as error:
        problem = f"record {good.seq + 1} cannot be read: {error}"
        return Verification(start=since, good=good, problem=problem, bad_seq=good.seq + 1)
    if good != last:
        problem = f"record {good.seq + 1} is missing or was changed"
        return Verification(start=since, good=good, problem=problem, bad_seq=good.seq + 1)
    return Verification(start=since, good=good)


def _snapshots_problem(reader: Reader) -> str:
    try:
        for snapshot, sealed in rows.read_snapshots(reader.connection):
            if not sealed or rows.head_at(reader.connection, snapshot.seq) != snapshot.head:
                return f"the snapshot at seq {snapshot.seq} was changed"
    except _UNREADABLE as error:
        return f"the snapshots cannot be read: {error}"
    return ""


def _integrity_problem(reader: Reader) -> str:
    try:
        answer = reader.connection.execute("PRAGMA integrity_check(1)").get
    except apsw.Error as error:
        return f"SQLite's integrity check failed: {error}"
    return "" if answer == "ok" else f"SQLite's integrity check says: {answer}"
