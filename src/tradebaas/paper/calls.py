"""What a method is made of: who calls, what it takes, and the function that answers."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from tradebaas.paper.desk import Desk
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.faults import Faults
from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Params
from tradebaas.paper.sessions import Session


class Call(msgspec.Struct, frozen=True):
    """Who calls and when: ``wall_ms`` is real time (signatures, tokens), never the market's.

    ``owner`` is the account that the call says it is for, None for the public, and ``desk`` is that
    of the account, the main one if it does not say. ``clock`` tells how exchange time runs: epoch,
    rate, lockstep, wall.
    """

    exchange: Exchange
    session: Session
    wall_ms: int
    clock: Wire
    faults: Faults
    desk: Desk
    owner: str | None = None


P = TypeVar("P", bound=Params)


class Method(msgspec.Struct, Generic[P], frozen=True):
    """Parameter type and handler of one method."""

    params: type[P]
    handler: Callable[[Call, P], object]
