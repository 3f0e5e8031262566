"""Others on the account: the owner by configuration, ourselves elsewhere, another daemon, and what
the exchange liquidates."""

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import BUY, INVERSE, LIMITS, SELL, D, Story, kinds, only
from tradebaas.core.duties import unwanted
from tradebaas.core.elsewhere import naked
from tradebaas.core.events import (
    CancelIntended,
    CloseRequested,
    Event,
    Halted,
    Liquidated,
    OrderIntended,
    PositionAdopted,
    PositionElsewhere,
    TradeClosed,
)
from tradebaas.core.facts import AbsentFact, LostFact, OrderFact, PositionFact
from tradebaas.core.messages import Halt, Resume, Tend
from tradebaas.core.model import GONE, Absence, Market, Phase, Role
from tradebaas.core.owners import STANDS_MS, plan, to_cancel
from tradebaas.core.proof import PLACES
from tradebaas.core.risk import Policy
from tradebaas.core.state import barrier, cover, naked_amount

ADOPT = replace(LIMITS, foreign_orders=Policy.ADOPT, foreign_positions=Policy.ADOPT)
CLOSE = replace(LIMITS, foreign_orders=Policy.CLOSE, foreign_positions=Policy.CLOSE)
OTHER = replace(INVERSE, name="ETH-PERPETUAL", currency="ETH")


def owners(story: Story, *, reduce_only: bool = True, stop: str = "79500") -> OrderFact:
    """An order of the owner's that would sell, with a trigger unless ``stop`` is ""."""
    order = story.order("", "his", state="untriggered" if stop else "open", direction=SELL).order
    kind = "stop_market" if stop else "limit"
    trigger = D(stop) if stop else None
    return OrderFact(
        order=replace(order, order_type=kind, trigger_price=trigger, reduce_only=reduce_only)
    )


def elsewhere(story: Story, size: str) -> PositionFact:
    return replace(story.position_fact(size, "3000"), instrument=OTHER.name, currency="ETH")


# ------------------------------------------------------------------- positions of the owner's


def found(limits: object, *, first_read: bool = False, folded: bool = False) -> Story:
    """The owner's long of 1 000 USD is there: by its fill, or only by its reading."""
    story = Story(limits=limits)  # type: ignore[arg-type]
    if not first_read:
        story.up()
        if folded:
            story.facts(story.fill("", "1000", direction=BUY))
        else:
            story.reconcile(size="1000")
        return story
    story.start()
    story.link()
    story.reconcile(size="1000")
    return story


def later(story: Story, ms: int, size: str = "1000") -> tuple[Event, ...]:
    before = len(story.events)
    story.now += ms
    story.reconcile(size=size)
    return tuple(story.events[before:])


@pytest.mark.parametrize("folded", [False, True])
def test_by_default_a_position_of_the_owners_is_left_alone(folded: bool) -> None:
    story = found(LIMITS, folded=folded)
    assert later(story, 10 * STANDS_MS) == ()
    assert barrier(story.state)


@pytest.mark.parametrize("folded", [False, True])
def test_adopted_it_is_ours_and_gets_its_stop(folded: bool) -> None:
    story = found(ADOPT, folded=folded)
    assert "PositionAdopted" not in kinds(later(story, STANDS_MS - 10)), "not before it has stood"
    events = later(story, 20)
    position = only(events, PositionAdopted).position
    assert (position.ours, position.size) == (True, D(1000))
    assert story.state.foreign == {}
    assert story.phase() is Phase.POSITION_OPEN
    story.now += 3_000
    story.tend()
    intent = story.intent("s")
    assert (intent.amount, intent.trigger_price) == (D(1000), D(78_400)), "2 % below its entry"


@pytest.mark.parametrize("folded", [False, True])
def test_closed_it_is_closed_reduce_only_under_a_label_of_ours(folded: bool) -> None:
    story = found(CLOSE, folded=folded)
    events = later(story, STANDS_MS + 10)
    assert "by the owner" not in only(events, CloseRequested).reason
    story.tend()
    intent = story.intent("c")
    assert (intent.amount, intent.reduce_only, intent.direction) == (D(1000), True, SELL)
    story.facts(
        story.fill(intent.label, "1000", direction=SELL),
        story.order(intent.label, "close", state="filled", filled=D(1000), direction=SELL),
    )
    assert only(story.events, TradeClosed).trade.ours
    assert story.phase() is Phase.ANALYZING


@pytest.mark.parametrize("limits", [ADOPT, CLOSE])
def test_what_the_account_had_before_this_store_is_never_touched(limits: object) -> None:
    """A wrong key, or a hedge that is older than the daemon."""
    story = found(limits, first_read=True)
    later(story, STANDS_MS + 10)
    story.now += 1
    assert later(story, STANDS_MS, size="900") != (), "the list says the new size"
    later(story, 10 * STANDS_MS, size="900")
    assert "PositionAdopted" not in kinds(tuple(story.events))
    assert "foreign position: 900" in barrier(story.state)


def test_a_position_that_changes_begins_to_stand_anew() -> None:
    story = found(CLOSE)
    later(story, STANDS_MS - 10, size="500")
    assert "PositionAdopted" not in kinds(later(story, 20, size="500"))
    assert "PositionAdopted" in kinds(later(story, STANDS_MS, size="500"))


def test_on_another_instrument_it_stays_quarantined() -> None:
    story = Story(limits=CLOSE).up()
    for _ in range(3):
        story.now += STANDS_MS
        story.facts(elsewhere(story, "7"), story.position_fact("0"), complete=True)
    assert f"foreign position: 7 {OTHER.name}" in barrier(story.state)


# ---------------------------------------------------------------------- orders of the owner's


def test_by_default_an_order_of_the_owners_is_left_alone() -> None:
    story = Story()
    story.entered()
    story.facts(owners(story))
    assert plan(story.state, story.now + 10 * STANDS_MS, LIMITS) is None
    assert "foreign order his" in story.state.foreign["order his"]
    assert cover(story.state) == 1000, "and covers nothing"


def test_only_with_close_it_is_cancelled_once_it_has_stood() -> None:
    story = Story(limits=CLOSE).up()
    story.facts(owners(story))
    for limits in (LIMITS, ADOPT):
        assert plan(story.state, story.now + STANDS_MS, limits) is None
    assert plan(story.state, story.now + STANDS_MS - 1, CLOSE) is None
    intended = plan(story.state, story.now + STANDS_MS, CLOSE)
    assert intended == CancelIntended(key="order his", why="[foreign] orders = close")
    assert to_cancel(story.state, CLOSE) == (), "not before that is in the log"
    story.now += STANDS_MS
    (told,) = story.tend()
    assert told == intended
    assert to_cancel(story.state, CLOSE) == ("his",)
    assert to_cancel(story.state, LIMITS) == (), "the owner has changed the configuration"
    assert plan(story.state, story.now, CLOSE) is None, "once is enough"
    story.unlink()
    assert to_cancel(story.state, CLOSE) == (), "nor unread"


def test_an_order_that_is_gone_is_cancelled_no_more() -> None:
    story = Story(limits=CLOSE).up()
    order = owners(story)
    story.facts(order)
    story.now += STANDS_MS
    story.tend()
    story.facts(OrderFact(order=replace(order.order, state=GONE)))
    assert to_cancel(story.state, CLOSE) == ()
    assert story.state.cancelling == ()


def test_an_order_of_before_this_store_is_not_cancelled() -> None:
    story = Story(limits=CLOSE)
    story.start()
    story.link()
    story.reconcile(owners(story), orders=("his",))
    assert plan(story.state, story.now + STANDS_MS, CLOSE) is None


def test_an_adopted_stop_covers_and_goes_with_the_position() -> None:
    story = Story(limits=ADOPT)
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    assert naked_amount(story.state) == 1000
    story.facts(owners(story))
    assert naked_amount(story.state) == 0
    assert story.state.foreign == {}
    assert story.facts(owners(story)) == (), "told again, it is no news"
    story.facts(story.fill("", "1000", direction=SELL))
    assert unwanted(story.state, story.now, ADOPT, D(1)) == ("take", "his")
    story.facts(story.gone("his", "user_request"), story.gone("take"))
    assert story.phase() is Phase.ANALYZING


@pytest.mark.parametrize("stop", ["78999", ""])
def test_one_that_would_lose_more_than_the_plan_covers_nothing(stop: str) -> None:
    story = Story(limits=ADOPT)
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.facts(owners(story, stop=stop))
    assert story.state.orders["his"].duty is Role.TAKE
    assert naked_amount(story.state) == 1000


def test_an_adopted_stop_that_is_moved_away_covers_nothing_any_more() -> None:
    story = Story(limits=ADOPT)
    story.entered()
    story.facts(story.gone("stop", "user_request"))
    story.facts(owners(story))
    story.now += 1
    story.facts(owners(story, stop="70000"))
    assert naked_amount(story.state) == 1000


def test_an_order_that_adds_risk_is_never_adopted() -> None:
    story = Story(limits=ADOPT)
    story.entered()
    story.facts(owners(story, reduce_only=False))
    assert "his" not in story.state.orders
    assert "order his" in story.state.foreign


# ------------------------------------------------------------------- ours on another instrument


def beside() -> tuple[Story, PositionFact]:
    """In a position, with another one of ours elsewhere, as its take profit there tells."""
    story = Story()
    story.entered()
    take = story.order("tb1-zz-3-t", "far", state="open", direction=SELL).order
    far = OrderFact(order=replace(take, instrument=OTHER.name, amount=D(7)))
    fact = elsewhere(story, "7")
    story.reconcile(far, fact, size="1000", orders=("stop", "take", "far"))
    return story, fact


def far_market(story: Story, mark: str = "3000") -> Market:
    market = story.market()
    price = D(mark)
    ticker = replace(market.ticker, bid=price, ask=price, mark=price)
    return replace(market, instrument=OTHER, ticker=ticker)


def tend(story: Story, mark: str = "3000") -> tuple[Event, ...]:
    return story.tell(
        Tend(
            connection=1,
            at_ms=story.now,
            market=story.market(),
            elsewhere=(far_market(story, mark),),
        )
    )


def test_a_position_of_ours_elsewhere_gets_a_stop() -> None:
    story, _ = beside()
    assert only(story.events, PositionElsewhere).instrument == OTHER.name
    assert story.state.foreign == {}
    assert naked(story.state) == {OTHER.name: D(7)}
    intent = only(tend(story), OrderIntended).intent
    assert (intent.instrument, intent.role, intent.amount) == (OTHER.name, Role.STOP, D(7))
    assert (intent.trigger_price, intent.reduce_only) == (D(2940), True)
    assert tend(story) == (), "it is on its way"
    stop = story.order(intent.label, "far-stop", direction=SELL).order
    story.facts(OrderFact(order=replace(stop, instrument=OTHER.name, amount=D(7))))
    story.now += 10_000
    assert tend(story) == ()
    assert naked(story.state) == {}
    assert cover(story.state) == 1000, "it covers nothing here"
    assert story.phase() is Phase.POSITION_OPEN


def test_an_unknown_order_elsewhere_is_absent_when_that_position_agrees() -> None:
    story, _ = beside()
    intent = only(tend(story), OrderIntended).intent
    story.facts(LostFact(label=intent.label, reason="no answer"))
    late_ms = intent.valid_until_ms + LIMITS.queue_bound_ms + LIMITS.proof_margin_ms + 1
    for size, proven in (("0", False), ("7", True)):
        evidence = Absence(
            label=intent.label, read_ms=late_ms, sources=tuple(PLACES), position=D(size)
        )
        story.facts(AbsentFact(evidence=evidence))
        assert (intent.label in story.state.pending) != proven


def test_its_orders_stay_when_the_managed_position_is_gone_and_then_it_is_managed() -> None:
    story, fact = beside()
    story.facts(story.fill(story.intent().legs[0].label, "1000", direction=SELL))
    assert unwanted(story.state, story.now, LIMITS, D(1)) == ("stop", "take")
    assert story.phase() is Phase.CLOSING
    story.facts(story.gone("stop"), story.gone("take"))
    story.now += 100
    story.reconcile(replace(fact, at_ms=story.now), orders=("far",))
    assert story.state.elsewhere == {}
    position = story.state.position
    assert position is not None
    assert (position.instrument, position.ours) == (OTHER.name, True)


@pytest.mark.parametrize("why", ["past the stop", "no stop in time", "halted"])
def test_it_is_closed_where_a_stop_does_not_help(why: str) -> None:
    story, _ = beside()
    mark = "2900" if why == "past the stop" else "3000"
    if why == "halted":
        story.tell(Halt(by="operator", reason="test"))
        story.tend()
    if why == "no stop in time":
        tend(story)
        story.now += LIMITS.naked_ms + 10
    intent = only(tend(story, mark), OrderIntended).intent
    assert (intent.instrument, intent.role, intent.amount) == (OTHER.name, Role.CLOSE, D(7))


def test_it_is_gone_when_the_exchange_says_so() -> None:
    story, fact = beside()
    story.now += 100
    gone = replace(fact, size=D(0), at_ms=story.now)
    story.reconcile(gone, size="1000", orders=("stop", "take", "far"))
    assert story.state.elsewhere == {}
    assert "is open as well" not in barrier(story.state)


def test_an_entry_of_ours_that_filled_elsewhere_tells_whose_it_is() -> None:
    story = Story()
    story.entered()
    fill = story.fill("tb1-zz-3-e", "7", direction=BUY, price="3000").fill
    bought = replace(story.fill("", "7"), fill=replace(fill, instrument=OTHER.name))
    story.reconcile(bought, elsewhere(story, "7"), size="1000", orders=("stop", "take"))
    assert naked(story.state) == {OTHER.name: D(7)}


def test_an_option_of_the_owners_is_seen_and_left_alone() -> None:
    story = Story(limits=CLOSE).up()
    option = replace(story.position_fact("2.5", "0.0435"), instrument="BTC-27DEC24-80000-C")
    for _ in range(3):
        story.now += STANDS_MS
        story.facts(replace(option, at_ms=story.now), story.position_fact("0"), complete=True)
    assert "BTC-27DEC24-80000-C" in barrier(story.state)


def test_a_position_of_the_owners_elsewhere_is_his() -> None:
    story = Story()
    story.entered()
    story.reconcile(elsewhere(story, "7"), size="1000", orders=("stop", "take"))
    assert story.state.elsewhere == {}
    assert f"position {OTHER.name}" in story.state.foreign


# ---------------------------------------------------------------- liquidations, another daemon


def test_a_liquidation_halts_and_says_what_to_do() -> None:
    story = Story()
    story.entered()
    story.now += 10
    events = story.facts(story.fill("", "400", direction=SELL, liquidation=True))
    assert only(events, Liquidated).amount == 400
    halted = only(events, Halted)
    assert halted.by == "daemon"
    assert "Add funds" in halted.reason
    assert "tradebaas resume" in halted.reason
    assert only(events, CloseRequested), "what is left is closed"
    story.tend()
    close = next(i for i in story.state.pending.values() if i.intent.role is Role.CLOSE).intent
    story.facts(story.fill(close.label, "600", direction=SELL))
    assert only(story.events, TradeClosed).trade.exit_reason == "liquidation", "whoever sold it"


def test_a_liquidation_of_the_owners_halts_once() -> None:
    story = Story().up()
    story.now += 10
    fill = story.fill("", "7", direction=SELL, liquidation=True)
    fill = replace(fill, fill=replace(fill.fill, instrument=OTHER.name))
    assert only(story.facts(fill), Halted)
    story.reconcile(fill)
    story.reconcile()
    story.tell(Resume(by="operator"))
    assert "Liquidated" not in kinds(story.facts(fill)), "read again, it is no news"
    assert only(story.events, Liquidated).instrument == OTHER.name


def test_an_entry_of_another_daemon_halts() -> None:
    story = Story().up()
    story.now += LIMITS.validity_ms + LIMITS.queue_bound_ms + LIMITS.proof_margin_ms + 1
    events = story.facts(story.order("tb1-other-9-e", "theirs", state="open", direction=BUY))
    assert kinds(events)[:2] == ["OrderAdopted", "Halted"]
    assert "another TradeBaas" in only(events, Halted).reason


@pytest.mark.parametrize("label", ["tb1-other-9-e", "tb1-other-9-c"])
def test_what_another_daemon_had_filled_at_once_halts_and_once_only(label: str) -> None:
    """A close as well: the one of two that has halted only closes."""
    story = Story().up()
    story.now += LIMITS.validity_ms + LIMITS.queue_bound_ms + LIMITS.proof_margin_ms + 1
    theirs = story.order(label, "theirs", state="filled", filled=D(400), direction=BUY)
    assert "another TradeBaas" in only(story.facts(theirs), Halted).reason
    story.reconcile(theirs)
    story.tell(Resume(by="operator"))
    assert "Halted" not in kinds(story.facts(theirs)), "read again, it is no news"


@pytest.mark.parametrize("label", ["tb1-other-9-s", "tb1-aa-9-e"])
def test_what_may_be_ours_of_before_does_not_halt(label: str) -> None:
    """A leg of a lost store's bracket may come to life at any time; our own token is ours."""
    story = Story().up()
    story.now += 60_000
    assert "Halted" not in kinds(story.facts(story.order(label, "x", state="open")))


def test_an_entry_from_before_the_last_read_is_of_a_lost_store() -> None:
    story = Story().up()
    old = story.order("tb1-other-9-e", "x", state="open").order
    assert "Halted" not in kinds(story.facts(OrderFact(order=replace(old, created_ms=1))))
