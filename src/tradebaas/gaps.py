"""Reads, beside the loop, what a restored backup did not have: for the HTTP side."""

from tradebaas.runtime.ports import Ports
from tradebaas.store.gap import Gap, read_gap
from tradebaas.store.place import Place


async def gap_of(place: Place, ports: Ports) -> Gap | None:
    """The gap of the newest restore; None when there was none.

    Raises:
        Fatal: The store cannot be read.
    """
    async with ports.open_blocking("gap") as worker:
        return await worker.run(read_gap, place)
