"""Everything that an exchange can inflict, as one table: name -> what is done to it.

A row looks at the exchange, does something or arms something for the next calls, and says in one
line what it did, or "" when there was nothing to do it to. All chance comes from the scene's
generator, so the same seed does the same. ``quiet`` ends what is armed or lasting; what has been
done (an order cancelled by the owner, a channel that fell silent) stays done.

A row changes the books, so it must run as a step of its own:

    said = await server.act(lambda: strike(scene, name))

Rows are in groups, for a nemesis that wants to draw the group first: ``calls`` (lost, late and
queued calls), ``errors``, ``house`` (sessions, maintenance, stores), ``forms`` (of frames),
``skew`` (of the exchange's clock), ``owner`` (acts of the account's owner), ``foreign`` (positions
and orders that are only the owner's), ``market``, ``entries`` (what befalls an entry alone); and,
in worlds that ask for them, ``drought``, ``edges`` (labels are lost, and only the links between
orders are left) and ``edits`` (of stops, in worlds in which they are moved).
"""

from collections.abc import Callable

from chaos.world.faults_calls import ROWS as CALLS
from chaos.world.faults_edits import ROWS as EDITS
from chaos.world.faults_entries import MUST_REST
from chaos.world.faults_entries import ROWS as ENTRIES
from chaos.world.faults_errors import ROWS as ERRORS
from chaos.world.faults_forms import EDGES
from chaos.world.faults_forms import ROWS as FORMS
from chaos.world.faults_house import ROWS as HOUSE
from chaos.world.faults_market import DROUGHT, RACES
from chaos.world.faults_market import ROWS as MARKET
from chaos.world.faults_owner import FOREIGN
from chaos.world.faults_owner import ROWS as OWNER
from chaos.world.faults_scene import Scene, quiet
from chaos.world.faults_skew import ROWS as SKEW

__all__ = ["ARMING", "FAULTS", "GROUPS", "GROUP_OF", "Scene", "quiet", "strike"]

GROUPS: dict[str, dict[str, Callable[[Scene], str]]] = {
    "calls": CALLS,
    "errors": ERRORS,
    "house": HOUSE,
    "forms": FORMS,
    "owner": OWNER,
    "foreign": FOREIGN,
    "market": MARKET,
    "drought": DROUGHT,
    "skew": SKEW,
    "edges": EDGES,
    "edits": EDITS,
    "entries": ENTRIES,
}
FAULTS: dict[str, Callable[[Scene], str]] = {
    name: row for rows in GROUPS.values() for name, row in rows.items()
}
GROUP_OF = {name: group for group, rows in GROUPS.items() for name in rows}
ARMING = frozenset({*CALLS, *ERRORS, *EDITS, *FORMS, *EDGES, *RACES, MUST_REST})
"""Rows that only arm something, which strikes when a call or a frame meets it: ``Scene.struck``."""


def strike(scene: Scene, name: str) -> str:
    """Do what a row says; returns what was done, "" for nothing."""
    return FAULTS[name](scene)
