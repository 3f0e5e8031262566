"""No database: was there one? The same answer for the daemon, ``check`` and whoever reads.

A database that is gone, where anything says that there was one, is damage: it must never pass for
a directory that was never used. Nothing here changes anything.
"""

from tradebaas.store import faults
from tradebaas.store.catalogue import advice
from tradebaas.store.lock import had_store
from tradebaas.store.place import Place, signs_of_a_store


def refuse_if_there_was_one(place: Place) -> None:
    """Refuse a directory whose database is gone; passes one that never had any.

    Raises:
        StoreDamaged: Something says that there was a store.
        OSError: The directory cannot be read.
    """
    signs = signs_of_a_store(place) + ([str(place.lock)] if had_store(place) else [])
    if signs:
        what = f"it is missing, but there was a store: see {', '.join(signs)}"
        raise faults.damaged(place.db, what, lambda: advice(place))
