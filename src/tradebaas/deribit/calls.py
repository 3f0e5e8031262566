"""What reads, trades and logins need of a link: to call, and to make sense of the answer.

A protocol, so that those files know no socket; ``link.Link`` is the real one.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Raw

from tradebaas.deribit import wire
from tradebaas.deribit.clock import ExchangeClock
from tradebaas.deribit.convert import CANNOT_READ, Contracts
from tradebaas.deribit.errors import Garbled
from tradebaas.deribit.rpc import Answer, Params, Priority, text_of

T = TypeVar("T")
Guard = Callable[[], bool]


class Caller(Protocol):
    """A connection that can be called."""

    @property
    def clock(self) -> ExchangeClock:
        """Exchange time as this connection knows it."""
        ...

    @property
    def contracts(self) -> Contracts:
        """The instruments read so far."""
        ...

    async def call(
        self,
        method: str,
        params: Params,
        *,
        within: float | None = None,
        priority: Priority = Priority.NORMAL,
        guard: Guard | None = None,
    ) -> Answer:
        """See ``link.Link.call``."""
        ...


async def ask(link: Caller, method: str, params: Params, read: Callable[[Raw], T]) -> T:
    """Call, and make sense of the result with ``read``.

    Raises:
        Garbled: ``read`` could not.
        CallFailed, Unanswered, LinkLost: as ``Link.call``.
    """
    return understand(method, await link.call(method, params), read)


def understand(method: str, answer: Answer, read: Callable[[Raw], T]) -> T:
    """Make sense of an answer.

    Raises:
        Garbled: ``read`` could not.
    """
    try:
        return read(answer.result)
    except CANNOT_READ as error:
        raise Garbled(method, text_of(answer.result), str(error)) from error


def of(type_: type[T]) -> Callable[[Raw], T]:
    """A reader that only decodes."""
    return lambda raw: wire.parse(raw, type_)
