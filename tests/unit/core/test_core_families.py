"""A child of our bracket whose label came back empty is known by its edges."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import SELL, D, Story, only
from tradebaas.core.events import TradeClosed
from tradebaas.core.facts import FillFact, OrderFact
from tradebaas.core.families import MAX_FAMILY, joined
from tradebaas.core.model import Phase, Role
from tradebaas.core.owners import STANDS_MS, plan
from tradebaas.core.risk import Limits, Policy
from tradebaas.core.state import cover

EDGES: dict[str, dict[str, object]] = {
    "primary_order_id": {"primary_order_id": "entry"},
    "oco_ref": {"oco_ref": "7"},
    "both": {"primary_order_id": "entry", "oco_ref": "7"},
}


def bare(fact: OrderFact, **edges: object) -> OrderFact:
    """The same without its label."""
    return OrderFact(order=replace(fact.order, label="", **edges))


def entered(story: Story, **edges: object) -> None:
    """A filled entry whose legs bear no label and, once they are live, these edges only."""
    intent = story.entering()
    stop, take = (leg.label for leg in intent.legs)
    entry = story.order(intent.label, "entry", state="open").order
    listed = replace(entry, oto_order_ids=("oto-s", "oto-t"), oco_ref="7")
    story.now += 10
    story.facts(OrderFact(order=listed))
    story.facts(
        bare(story.order(stop, "oto-s", waiting=True)),
        bare(story.order(take, "oto-t", waiting=True)),
    )
    assert {o.role for o in story.state.orders.values()} == {Role.ENTRY, Role.STOP, Role.TAKE}
    story.facts(
        story.fill(intent.label, intent.amount),
        OrderFact(order=replace(listed, state="filled", filled=intent.amount)),
        bare(story.order(stop, "oto-s", state="triggered")),
        bare(story.order(take, "oto-t", state="triggered")),
        bare(story.order(stop, "stop"), **edges),
        bare(story.order(take, "take", state="open"), **edges),
    )


@pytest.mark.parametrize("edges", EDGES.values(), ids=EDGES)
def test_legs_without_labels_cover_and_close(edges: dict[str, object]) -> None:
    story = Story()
    entered(story, **edges)
    assert story.phase() is Phase.POSITION_OPEN
    assert story.state.foreign == {}
    assert cover(story.state) == 1000
    assert story.state.orders["take"].role is Role.TAKE


def test_what_a_stop_became_is_known_by_the_stop_and_so_is_its_fill() -> None:
    story = Story()
    entered(story, oco_ref="7")
    fired = story.order(story.intent().legs[0].label, "child", state="filled", filled=D(1000))
    fill = story.fill("", "1000", direction=SELL, price="79000").fill
    story.facts(
        FillFact(fill=replace(fill, order_id="child")),
        bare(fired, trigger_order_id="stop"),
        story.gone("take"),
        OrderFact(order=replace(story.state.orders["stop"], state="triggered", label="")),
    )
    assert only(story.events, TradeClosed).trade.exit_reason == "stop"
    assert story.state.orders == {}
    assert story.state.foreign == {}


def test_a_leg_that_is_told_before_its_entry_is_foreign_for_a_moment_only() -> None:
    limits = Limits(foreign_orders=Policy.CLOSE, slippage_percent=D(0))
    story = Story(limits=limits)
    intent = story.entering()
    story.now += 10
    story.facts(bare(story.order(intent.legs[0].label, "oto-s", waiting=True)))
    assert "order oto-s" in story.state.foreign
    entry = story.order(intent.label, "entry", state="open").order
    story.facts(OrderFact(order=replace(entry, oto_order_ids=("oto-s",))))
    assert story.state.foreign == {}
    assert plan(story.state, story.now + STANDS_MS, limits) is None


def test_without_an_edge_it_is_the_owners() -> None:
    story = Story()
    story.entered()
    other = story.order("", "his", direction=SELL).order
    order = replace(other, oco_ref="8", primary_order_id="x", trigger_order_id="y")
    story.facts(OrderFact(order=order))
    assert "order his" in story.state.foreign
    assert cover(story.state) == 1000


def test_a_label_that_is_there_is_never_changed() -> None:
    story = Story()
    entered(story, oco_ref="7")
    his = story.order("by-hand", "his", direction=SELL).order
    story.facts(OrderFact(order=replace(his, oco_ref="7")))
    assert "order his" in story.state.foreign


def test_a_family_is_bounded() -> None:
    story = Story()
    story.entered()
    bracket = story.state.bracket
    assert bracket is not None
    entry = story.order(bracket.labels[0], "entry").order
    many = tuple(f"oto-{number}" for number in range(1000))
    grown = joined(bracket, replace(entry, oto_order_ids=many))
    assert len(grown.family) == MAX_FAMILY
