"""Events to records and back: the one place that knows how an event looks in the log.

The kind is the event's class name and the body its JSON, in which a Decimal is a string with
every digit it had. When fields are renamed or removed, the kind gets a new version and an
upcaster that takes the older body to it; old records are never rewritten. A kind or a version
that this program does not know is a newer program's: reading on would mean losing it silently.
"""

import typing
from collections.abc import Callable

import msgspec

from tradebaas.core.events import Event
from tradebaas.errors import StoreNewer, Unusable
from tradebaas.store.records import NewRecord

Upcaster = Callable[[dict[str, object]], dict[str, object]]
"""Takes a body of one version to the next."""

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in typing.get_args(Event)}
VERSIONS: dict[str, int] = {}
"""The present version of each kind that has had more than one."""
UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(kind, version) to the function that makes the next version of its body."""


def encode(event: Event) -> tuple[str, int, bytes]:
    """The kind, its present version and the body of an event."""
    kind = type(event).__name__
    return kind, VERSIONS.get(kind, 1), msgspec.json.encode(event)


def decode(record: NewRecord) -> Event:
    """The event of a record.

    Raises:
        StoreNewer: The kind or its version is unknown.
        Unusable: The body does not fit; an upcaster is missing or wrong.
    """
    kind, present = KINDS.get(record.kind), VERSIONS.get(record.kind, 1)
    if kind is None or record.version > present:
        raise StoreNewer(
            f"the log holds an event {record.kind} of version {record.version}, which this "
            "program does not know: start the newer TradeBaas that wrote it"
        )
    try:
        if record.version == present:
            return msgspec.json.decode(record.body, type=kind)
        body = msgspec.json.decode(record.body, type=dict[str, object])
        for version in range(record.version, present):
            body = UPCASTERS[record.kind, version](body)
        return msgspec.convert(body, kind)
    except (msgspec.DecodeError, KeyError) as error:
        raise Unusable(
            f"an event {record.kind} of version {record.version} cannot be read ({error!r}): "
            "this is a bug of this version; start the version that ran before"
        ) from error
