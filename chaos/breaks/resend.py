"""Send an unresolved intent again after a restart, under its own label.

The check just before the wire lets through every intent that has no proven outcome, whichever life
and connection it belongs to.
"""

from chaos.breaks.patch import patch
from tradebaas.actors.desk import Desk
from tradebaas.core.model import Intent


def apply() -> None:
    """Break the last check before the wire."""

    def may_send(self: Desk, intent: Intent) -> bool:
        return intent.label in self._ctx.view().pending

    patch(Desk, "_may_send", may_send)
