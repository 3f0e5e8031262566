"""The events of a stop that is moved; a part of ``events.Event``.

A stop is moved by an edit in place. Like an order, an edit is durable before it is sent; unlike an
order it may be sent again, since the second one says what the first did.
"""

from decimal import Decimal

from msgspec import Struct

from tradebaas.core.model import Edit, Moved

EDIT = "edit"
"""Under this name the state remembers when an edit was last intended."""


class StopMoved(Struct, frozen=True, tag=True, kw_only=True):
    """The position's stop is to be there from now on: closer to the market than it was."""

    moved: Moved
    before: Decimal
    by: str


class EditIntended(Struct, frozen=True, tag=True, kw_only=True):
    """The command to change a live stop; no edit is ever sent that has no such event."""

    edit: Edit


class EditEnded(Struct, frozen=True, tag=True, kw_only=True):
    """The edit was answered, or its order was read back; ``reason`` is "" if it was carried out."""

    order_id: str
    reason: str
