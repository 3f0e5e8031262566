"""When a signal becomes an order, waits, or is dropped; and the gate in front of every intent."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.core.core_kit import (
    BUY,
    INVERSE,
    LIMITS,
    LINEAR,
    MINUTE,
    SELL,
    T0,
    D,
    Story,
    kinds,
    only,
)
from tradebaas.core.admission import validity_ms
from tradebaas.core.draft import Draft
from tradebaas.core.events import OrderIntended, SignalDropped
from tradebaas.core.facts import OrderFact, PositionFact
from tradebaas.core.messages import Admit, Guard, Halt, Propose, Report, Resume
from tradebaas.core.model import Intent, Order, Phase
from tradebaas.core.risk import Limits
from tradebaas.core.state import barrier, waiting_reason

DAY = 86_400_000


def admit(story: Story) -> list[str]:
    signal = story.state.signal
    assert signal is not None
    return kinds(story.tell(Admit(signal_id=signal.signal_id, market=story.market())))


def dropped(story: Story) -> str:
    """Why a fresh signal is dropped."""
    events = story.propose()
    assert story.phase() is Phase.ANALYZING
    assert story.state.signal is None
    return only(events, SignalDropped).reason


def test_link_loss_revokes_the_permit_and_only_a_full_read_gives_it_back() -> None:
    story = Story().up()
    assert waiting_reason(story.state) == ""
    story.unlink()
    assert waiting_reason(story.state) == "not connected to the exchange"
    for _ in range(2):
        story.link(2)
        assert waiting_reason(story.state) == "not reconciled since the last connect"
        story.reconcile()
        assert waiting_reason(story.state) == ""
    story.start("bb", cause="killed")
    assert waiting_reason(story.state) == "not connected to the exchange"


def test_a_full_read_through_an_older_connection_gives_no_permit() -> None:
    story = Story().up()
    story.unlink()
    story.link(2)
    assert story.tell(Report(connection=1, at_ms=story.now, facts=(), complete=True)) == ()
    assert waiting_reason(story.state) == "not reconciled since the last connect"


def test_a_signal_without_a_permit_waits_and_is_admitted_once_reconciled() -> None:
    story = Story().up()
    story.unlink()
    story.propose()
    assert story.phase() is Phase.SIGNAL_DETECTED
    assert admit(story) == []
    story.link(2)
    assert admit(story) == []
    story.reconcile()
    assert admit(story) == ["OrderIntended", "PhaseChanged"]
    assert story.phase() is Phase.ENTERING_POSITION
    assert story.intent().connection == 2


def test_a_market_of_another_connection_admits_nothing() -> None:
    story = Story().up()
    old = story.market()
    story.unlink()
    story.link(2)
    story.reconcile()
    story.tell(Propose(signal=story.signal(), market=old))
    assert story.phase() is Phase.SIGNAL_DETECTED
    assert admit(story) == ["OrderIntended", "PhaseChanged"]


def test_a_waiting_signal_is_dropped_when_the_candle_after_its_own_has_closed() -> None:
    story = Story().up()
    story.unlink()
    story.propose()
    story.now = T0 + MINUTE - 1
    assert admit(story) == []
    story.now = T0 + MINUTE
    assert admit(story) == ["SignalDropped", "PhaseChanged"]
    assert story.phase() is Phase.ANALYZING


def test_a_signal_is_considered_once_and_never_an_older_one() -> None:
    story = Story().up()
    story.tell(Guard(cause="test", active=True))
    story.propose(candle=1)
    market = story.market()
    for candle in (1, 0):
        reason = story.refusal(Propose(signal=story.signal(candle=candle), market=market))
        assert "considered before" in reason


@pytest.mark.parametrize("reach", [Story.start, Story.entering, Story.entered])
def test_signals_are_only_taken_in_analyzing(reach: Callable[[Story], object]) -> None:
    story = Story()
    reach(story)
    reason = story.refusal(Propose(signal=story.signal(candle=5), market=story.market()))
    assert "ANALYZING" in reason


def _halted(story: Story) -> None:
    story.tell(Halt(by="operator", reason="lunch"))


def _protected(story: Story) -> None:
    story.tell(Guard(cause="disk full", active=True, detail="0 bytes"))


def _foreign_order(story: Story) -> None:
    story.facts(foreign_order())


def _foreign_position(story: Story) -> None:
    other = replace(story.position_fact("50"), instrument="ETH-PERPETUAL")
    story.facts(other)


def _owners_position(story: Story) -> None:
    story.facts(story.fill("", "50", direction=SELL))


BARRIERS = [
    (_halted, "halted by operator: lunch"),
    (_protected, "protect-only because of disk full: 0 bytes"),
    (_foreign_order, "quarantine: foreign order 77"),
    (_foreign_position, "quarantine: foreign position: 50 ETH-PERPETUAL"),
    (_owners_position, "single position guard: BTC-PERPETUAL is open"),
]


@pytest.mark.parametrize("cause, words", BARRIERS)
def test_a_barrier_drops_the_signal_with_its_reason(
    cause: Callable[[Story], None], words: str
) -> None:
    story = Story().up()
    cause(story)
    assert words in dropped(story)


def test_barriers_pass_when_their_cause_is_gone() -> None:
    story = Story().up()
    for cause, _ in BARRIERS:
        cause(story)
    assert barrier(story.state)
    story.tell(Resume(by="operator"))
    story.tell(Guard(cause="disk full", active=False))
    story.facts(replace(foreign_order(), order=replace(foreign_order().order, state="cancelled")))
    story.facts(replace(story.position_fact("0"), instrument="ETH-PERPETUAL"))
    story.facts(story.fill("", "50", direction=BUY))
    story.reconcile()
    assert barrier(story.state) == ""
    assert story.phase() is Phase.ANALYZING


def foreign_order(order_id: str = "77") -> OrderFact:
    return OrderFact(
        order=Order(
            order_id=order_id,
            label="mine",
            instrument="ETH-PERPETUAL",
            direction=BUY,
            order_type="limit",
            state="open",
            amount=D(10),
        )
    )


def test_the_list_of_foreign_orders_is_bounded_and_says_so() -> None:
    story = Story().up()
    story.facts(*(foreign_order(str(number)) for number in range(300)))
    assert len(story.state.foreign) == 128
    assert "more of the owner's" in list(story.state.foreign.values())[-1]
    story.reconcile(orders=("299",))
    assert list(story.state.foreign) == ["order *"], "one is open that found no room"
    story.reconcile(foreign_order("299"), orders=("299",))
    assert list(story.state.foreign) == ["order 299"]
    story.reconcile()
    assert story.state.foreign == {}


def test_leverage_is_measured_at_the_ask_where_that_makes_more_of_it() -> None:
    """960 dollars are 0.7543 of the equity at the limit price, 80,040, and 0.7547 at the ask."""
    allowed = replace(LIMITS, slippage_percent=D("0.05"), max_leverage=D("0.7545"))
    assert "leverage 0.76x is above the limit" in dropped(Story(limits=allowed).up())
    story = Story(limits=replace(allowed, max_leverage=D("0.755"))).up()
    story.propose()
    assert (story.intent().price, story.intent().amount) == (D(80_040), D(960))


def test_entries_per_day_are_limited_by_the_exchanges_day() -> None:
    story = Story(limits=replace(LIMITS, max_entries_per_day=2)).up()
    for candle in (0, 1):
        story.propose(candle=candle)
        story.facts(_rejected(story))
    events = story.propose(candle=2)
    assert only(events, SignalDropped).reason == "2 entries today, the limit is 2"
    story.now += DAY
    story.propose(candle=DAY // MINUTE)
    assert story.phase() is Phase.ENTERING_POSITION


def _rejected(story: Story) -> OrderFact:
    return story.order(story.intent().label, f"x{story.state.seq}", state="rejected")


def test_the_daily_loss_is_counted_in_its_own_currency() -> None:
    story = Story(limits=replace(LIMITS, max_daily_loss_percent=D(1)))
    intent = story.entered()
    story.facts(
        story.fill(intent.legs[0].label, "1000", price="79000"),
        story.gone("stop"),
        story.gone("take"),
    )
    lost = D("0.000158227848")
    assert story.state.day.net == {"BTC": -lost}
    story.limits = replace(LIMITS, max_daily_loss_percent=D("0.9"))
    events = story.propose(candle=1)
    assert only(events, SignalDropped).reason == (
        "lost 0.000158227848 BTC today, the limit is 0.0001431 BTC"
    )
    story.instrument = LINEAR
    events = story.propose(candle=2)
    assert only(events, OrderIntended).intent.instrument == "BTC_USDC-PERPETUAL"


def test_a_price_that_left_the_bracket_enters_nothing() -> None:
    story = Story().up()
    signal = story.signal()
    story.price = D(82_000)
    events = story.tell(Propose(signal=signal, market=story.market()))
    assert only(events, SignalDropped).reason == (
        "price 82000 has left the bracket 79000 to 82000 of the signal"
    )


@pytest.mark.parametrize(
    ("rate", "age_ms", "enters"),
    [(1, 5_000, True), (1, 5_001, False), (60, 300_000, True), (60, 300_001, False)],
)
def test_old_prices_enter_nothing(rate: int, age_ms: int, enters: bool) -> None:
    story = Story().up()
    market = story.market()
    ticker = replace(market.ticker, at_ms=market.at_ms - age_ms)
    market = replace(market, ticker=ticker, rate=D(rate))
    events = story.tell(Propose(signal=story.signal(), market=market))
    if enters:
        only(events, OrderIntended)
    else:
        reason = f"the prices are {age_ms} ms old, {5_000 * rate} are allowed"
        assert only(events, SignalDropped).reason == reason


def test_a_short_at_its_stop_enters_nothing_though_it_would_fill_below() -> None:
    story = Story(limits=Limits(slippage_percent=D("0.05"))).up()
    signal = story.signal(SELL)
    story.price = signal.stop
    events = story.tell(Propose(signal=signal, market=story.market()))
    assert "has left the bracket" in only(events, SignalDropped).reason


def test_the_market_of_another_instrument_or_currency_sizes_nothing() -> None:
    story = Story().up()
    signal, market = story.signal(), story.market()
    events = story.tell(Propose(signal=signal, market=replace(market, instrument=LINEAR)))
    assert "the market for BTC_USDC-PERPETUAL" in only(events, SignalDropped).reason
    poor = replace(market, account=replace(market.account, currency="ETH"))
    events = story.tell(Propose(signal=story.signal(candle=1), market=poor))
    assert "settles in BTC, not ETH" in only(events, SignalDropped).reason


def test_no_size_drops_the_signal_with_the_numbers() -> None:
    story = Story(limits=replace(LIMITS, risk_percent=D("0.001"))).up()
    assert "below the minimum 10" in dropped(story)


@pytest.mark.parametrize("rate, expected", [("1", 2_000), ("10", 2_000), ("600", 120_000)])
def test_an_order_stays_valid_200_real_ms_however_fast_the_clock_runs(
    rate: str, expected: int
) -> None:
    assert validity_ms(Limits(), Decimal(rate)) == expected


def test_anything_of_ours_that_turns_up_drops_the_waiting_signal() -> None:
    story = Story().up()
    story.unlink()
    story.propose()
    story.link(2)
    story.now += 5
    story.reconcile(
        story.order("tb1-zz-7-s", "stop", direction=SELL), size="1000", orders=("stop",)
    )
    assert story.state.signal is None
    assert story.phase() is Phase.POSITION_OPEN
    assert Phase.SIGNAL_DETECTED in story.phases()


def gated(story: Story, intent: Intent) -> str:
    with pytest.raises(AssertionError) as caught:
        Draft(story.state).emit(OrderIntended(intent=intent))
    return str(caught.value)


def test_the_gate_lets_no_entry_pass_without_its_permit() -> None:
    story = Story()
    intent = story.entering()
    assert "is not proven" in gated(story, intent)
    story.facts(_rejected(story))
    assert "not for the signal" in gated(story, intent)
    story.unlink()
    assert "not connected" in gated(story, intent)
    story.propose(candle=1)
    signal = story.state.signal
    assert signal is not None
    story.link(2)
    story.reconcile()
    waiting = replace(intent, signal_id=signal.signal_id)
    assert "another life or connection" in gated(story, waiting)
    story.tell(Guard(cause="disk full", active=True))
    assert "disk full" in gated(story, replace(waiting, connection=2))
    reducing = replace(intent, label="tb1-aa-1-s", role="s", reduce_only=False)
    assert "not reduce-only" in gated(story, reducing)


def test_foreign_positions_come_and_go_with_the_exchanges_word() -> None:
    story = Story().up()
    fact = PositionFact(
        instrument="ETH-PERPETUAL",
        contract=INVERSE.kind,
        currency="ETH",
        size=D(-7),
        average_price=D(2000),
        at_ms=story.now,
        asked_ms=story.now,
    )
    assert kinds(story.facts(fact)) == ["ForeignFound"]
    assert story.facts(fact) == ()
    assert kinds(story.facts(replace(fact, size=D(0)))) == ["ForeignGone"]
