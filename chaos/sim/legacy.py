"""A store as an older version of the program left it, for worlds that begin with a migration."""

from hashlib import sha256

import apsw

from tradebaas.store import schema
from tradebaas.store.place import Place

LIVES = 1
EVENTS = (
    ("LifeStarted", b'{"type":"LifeStarted","life":1,"token":"01d5701e","wall_ms":1700000000000}'),
    ("LifeEnded", b'{"type":"LifeEnded","life":1,"wall_ms":1700000060000}'),
)


def lay(place: Place) -> None:
    """Make a store of schema 1 in ``place``, with its own digests (each over the one before).

    It is years old, so no power cut takes anything of it away.
    """
    disk = place.disk
    disk.mkdir(place.root, parents=True)
    schema.create_database(disk, place.db, 1)
    connection = schema.open_writer(disk, place.db)
    try:
        digest = bytes(32)
        with connection:
            for seq, (kind, body) in enumerate(EVENTS, start=1):
                text = digest + seq.to_bytes(8, "big") + kind.encode() + b"\0" + body
                digest = sha256(text).digest()
                row = (seq, 1_700_000_000_000 + seq, 1, kind, body, digest)
                connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.close()
    for directory in (place.root, *place.root.parents):
        disk.sync_directory(directory)
