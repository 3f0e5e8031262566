"""How long entries of ours were in the book: a fold of the exchange's rows. Pure."""

from dataclasses import dataclass, field
from typing import final

from chaos.world.ledger import OrderRow
from tradebaas.core.model import Role, role_of


@dataclass(slots=True)
class Rest:
    """An entry of ours in the book, from line ``n``; ``end_ms`` None: still."""

    n: int
    label: str
    start_ms: int
    end_ms: int | None = None


@final
@dataclass(slots=True)
class Rests:
    """``ended`` in the order of their ends, ``live`` by the order's id."""

    ended: list[Rest] = field(default_factory=list)
    live: dict[str, Rest] = field(default_factory=dict)

    def note(self, n: int, at_ms: int, order: OrderRow) -> None:
        """An order was described."""
        if role_of(order.label) is not Role.ENTRY:
            return
        if order.live:
            self.live.setdefault(order.order_id, Rest(n, order.label, at_ms))
        elif order.order_id in self.live:
            rest = self.live.pop(order.order_id)
            rest.end_ms = at_ms
            self.ended.append(rest)

    def after(self, ended: int) -> list[Rest]:
        """All but so many of those that have ended."""
        return [*self.ended[ended:], *self.live.values()]
