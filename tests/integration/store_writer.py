"""A process that writes to a store and says what was acknowledged, until it is killed.

``python store_writer.py DATA_DIR [APPENDS]`` appends groups of numbered records, with a
snapshot now and then, and prints the last acknowledged seq of each append on a line of its own.
"""

import sys
from itertools import count
from pathlib import Path

from tradebaas.store import log as log_module
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord, NewSnapshot

FOLD = 1


def new(number: int) -> NewRecord:
    """The record that belongs at seq ``number``."""
    body = f"body of {number} ".encode() * (1 + number % 40)
    return NewRecord(at_ms=number, life=1, kind="Counted", version=1, body=body)


def snapshot(number: int) -> NewSnapshot:
    """The snapshot that belongs at seq ``number``."""
    body = f"state after {number} ".encode() * 300
    return NewSnapshot(fold_version=FOLD, body=body, state_digest=b"digest")


def main() -> None:
    """Write until killed, or until standard output has no reader."""
    log_module.CHECKPOINT_PAGES = 40  # so that deaths meet checkpoints too
    log = Log.open(Place(Path(sys.argv[1])), now_ms=0)
    log.recover(FOLD)
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else None
    for turn in count():
        first = log.head.seq + 1
        records = [new(n) for n in range(first, first + 1 + turn % 5)]
        due = turn % 9 == 8
        head = log.append(records, snapshot(first + turn % 5) if due else None)
        sys.stdout.write(f"{head.seq}\n")
        sys.stdout.flush()
        if limit is not None and turn + 1 == limit:
            log.close()
            return


if __name__ == "__main__":
    main()
