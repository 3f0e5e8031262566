"""Edits that are lost, late, refused, or carried out unheard: the stop has moved, or it has not.

The daemon edits when a stop is moved, and only then. Whatever becomes of one, the stop rests at the
old price or at the new one, and covers all the while.
"""

from chaos.world.faults_calls import WAYS, call_row
from chaos.world.faults_errors import BOOK, BUSY, ENDED, OPEN, PARAMS, RIGHTS, Codes, error_row
from chaos.world.faults_scene import Row
from tradebaas.paper.faults import Kind

KINDS: dict[str, tuple[Kind, str, Codes]] = {
    "edit refused": ("reject", "edit", (*BOOK, *PARAMS, *RIGHTS, *ENDED)),
    "edit failed": ("reject", "edit", OPEN),
    "edit failed, done": ("deny", "edit", OPEN),
    "edit failed, queued": ("defer", "edit", BUSY),
}
ROWS: dict[str, Row] = {
    **{f"edit {way}": call_row(way, "edit") for way in WAYS},
    **{name: error_row(*kind, name) for name, kind in KINDS.items()},
}
