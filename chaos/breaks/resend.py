"""Send an unresolved intent again after a restart, under its own label.

The desk takes every intent that has no proven outcome for one of its own, whichever life and
connection it belongs to.
"""

from chaos.breaks.patch import patch
from tradebaas.actors.desk import Desk
from tradebaas.core.model import Intent
from tradebaas.core.state import State


def apply() -> None:
    """Break the question whose intent it is, which the last check before the wire asks too."""

    def is_mine(_self: Desk, view: State, intent: Intent) -> bool:
        return intent.label in view.pending

    patch(Desk, "_is_mine", is_mine)
