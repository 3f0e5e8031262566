"""Which orders belong together, told by the exchange's own edges.

A bracket is a family: the entry lists its secondaries (``oto_order_ids``), what they become names
the entry (``primary_order_id``) and shares an ``oco_ref``, and what a trigger order becomes names
that (``trigger_order_id``). Mostly each of them bears its own label. One whose label comes back
empty would be the owner's, and its position naked; so it gets the label that it must have, from
what is known of its family, before anything else looks at it. All edges are optional. Pure.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from tradebaas.core.facts import Fact, FillFact, OrderFact
from tradebaas.core.model import Order, Role, is_ours, role_of
from tradebaas.core.state import Bracket, State

MAX_FAMILY = 256
"""Names of one bracket: an entry that fills in very many parts has very many legs."""
REF = "oco "
_TAKES = frozenset({"limit", "take_limit", "take_market"})


def labelled(state: State, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """``facts`` with the labels of orders and fills of ours that came without one."""
    if all(_has_label(fact) for fact in facts):
        return facts
    bracket = state.bracket
    family = {order.order_id: order.label for order in state.orders.values() if order.label}
    if bracket is not None:
        family |= bracket.family
    orders = [fact.order for fact in facts if isinstance(fact, OrderFact)]
    for order in (*orders, *orders):  # a parent may be described after its child
        _add(family, bracket, _named(family, bracket, order))
    return tuple(_relabelled(family, bracket, fact) for fact in facts)


def joined(bracket: Bracket, order: Order) -> Bracket:
    """The bracket, with what an order of it tells of its family."""
    if order.label not in bracket.labels:
        return bracket
    family = dict(bracket.family)
    _add(family, bracket, order)
    return bracket if family == bracket.family else replace(bracket, family=family)


def _add(family: dict[str, str], bracket: Bracket | None, order: Order) -> None:
    """Note an order of ours: its id, and if it is of the bracket, the names that others use."""
    if not is_ours(order.label):
        return
    names = [order.order_id]
    if bracket is not None and order.label in bracket.labels:
        names += order.oto_order_ids
        names += [REF + order.oco_ref] if order.oco_ref else []
    for name in names:
        if len(family) < MAX_FAMILY or name in family:
            family[name] = order.label if name == order.order_id else family.get(name, "")


def _named(family: Mapping[str, str], bracket: Bracket | None, order: Order) -> Order:
    """``order`` with its label; as it is, if it has one or is no kin of ours."""
    if order.label:
        return order
    parent = family.get(order.trigger_order_id or "", "")
    parent = "" if role_of(parent) is Role.ENTRY else parent
    label = family.get(order.order_id, "") or parent
    if label or bracket is None or order.instrument != bracket.instrument:
        return replace(order, label=label)
    edges = (order.order_id, order.trigger_order_id, order.primary_order_id)
    kin = any(edge in family for edge in edges if edge) or f"{REF}{order.oco_ref}" in family
    return replace(order, label=_by_type(bracket, order)) if kin else order


def _by_type(bracket: Bracket, order: Order) -> str:
    """A leg that nobody has labelled: what takes a profit rests at a price, a stop does not."""
    role = Role.TAKE if order.order_type in _TAKES else Role.STOP
    return next((label for label in bracket.labels if role_of(label) is role), "")


def _has_label(fact: Fact) -> bool:
    match fact:
        case OrderFact(order=order):
            return bool(order.label)
        case FillFact(fill=fill):
            return bool(fill.label)
        case _:
            return True


def _relabelled(family: Mapping[str, str], bracket: Bracket | None, fact: Fact) -> Fact:
    match fact:
        case OrderFact(order=order):
            return OrderFact(order=_named(family, bracket, order))
        case FillFact(fill=fill) if not fill.label:
            return FillFact(fill=replace(fill, label=family.get(fill.order_id, "")))
        case _:
            return fact
