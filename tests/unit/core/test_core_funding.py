"""The funding of trades: each row once, to the trade that it belongs to, whenever it is told."""

from decimal import Decimal
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.core_kit import T0, D, Story, kinds, only
from tradebaas.core import funding
from tradebaas.core.events import SignalDropped, TradeClosed
from tradebaas.core.facts import FundingFact
from tradebaas.core.funding import LATE_MS, MOST_HELD, Funding
from tradebaas.core.funding_events import FundingCharged, FundingRow
from tradebaas.core.model import Phase, Trade

HOUR = 3_600_000


def row(number: int, at_ms: int, paid: str = "0.0001", name: str = "BTC-PERPETUAL") -> FundingRow:
    return FundingRow(
        row_id=str(number), instrument=name, currency="BTC", paid=D(paid), at_ms=at_ms
    )


def read(story: Story, *rows: FundingRow, through: int | None = None) -> list[str]:
    """The log is read up to now."""
    through_ms = story.now if through is None else through
    told: list[str] = kinds(story.facts(FundingFact(rows=rows, through_ms=through_ms)))
    return told


def held(hours: int = 9) -> Story:
    """A position that was opened just now, and then stood for some hours."""
    story = Story()
    story.entered()
    story.now += hours * HOUR
    return story


def closed(story: Story) -> Trade:
    """The position is sold at a price that brings 0.0000154 BTC."""
    intent = story.intent()
    story.facts(story.fill(intent.legs[1].label, intent.amount, price="80100"))
    trade: Trade = only(story.events, TradeClosed).trade
    return trade


def test_a_settlement_is_held_until_its_trade_is_over() -> None:
    story = held()
    assert "FundingCharged" in read(story, row(1, T0 + 8 * HOUR))
    assert story.state.counters.funding == {}
    story.now += HOUR
    trade = closed(story)
    assert (trade.funding, trade.net) == (D("0.0001"), trade.gross - trade.fees - D("0.0001"))
    assert story.state.counters.net == {"BTC": trade.net}
    assert story.state.counters.funding == {"BTC": D("0.0001")}
    assert story.state.funding.held == ()


def test_what_is_told_after_the_end_changes_the_trade_its_day_and_all() -> None:
    story = held()
    before = closed(story)
    assert before.net > 0
    assert story.state.counters.trades_success == 1
    story.now += 1_000
    last = row(2, story.now - 1_000, "0.00002")
    assert read(story, row(1, T0 + 8 * HOUR, "-0.00001"), last) == [
        *("FundingCharged", "FundingCharged", "FundingRead"),
    ]
    after = story.state.last_trade
    assert after is not None
    assert (after.funding, after.net) == (D("0.00001"), before.net - D("0.00001"))
    assert story.state.counters.net == story.state.day.net == {"BTC": after.net}
    assert (story.state.counters.trades_success, story.state.counters.trades_failed) == (1, 0)
    read(story, row(3, story.now - 1_000, "0.001"))
    assert (story.state.counters.trades_success, story.state.counters.trades_failed) == (0, 1)
    assert story.state.counters.trades == 1


def test_a_row_counts_once_however_often_it_is_read() -> None:
    story = held()
    rows = (row(1, T0 + 8 * HOUR), row(2, T0 + 9 * HOUR + 0))
    read(story, *rows)
    assert "FundingCharged" not in read(story, *rows)
    closed(story)
    story.now += 1_000
    assert "FundingCharged" not in read(story, *rows)
    story.now += 2 * LATE_MS
    read(story, *rows)
    assert story.state.funding.known == {}, "no longer asked for, and no longer news"
    assert "FundingCharged" not in read(story, *rows)
    assert story.state.counters.funding == {"BTC": D("0.0002")}


def test_what_is_of_no_trade_of_ours_is_forgotten() -> None:
    """The owner held a position before, and holds one elsewhere."""
    story = held()
    read(story, row(1, T0 - HOUR), row(2, T0 + HOUR, name="ETH-PERPETUAL"))
    trade = closed(story)
    assert trade.funding == 0
    story.now += 2 * LATE_MS
    read(story)
    assert story.state.funding.held == ()
    assert story.state.counters.funding == {"BTC": D(0)}


def test_the_first_fill_has_nothing_and_the_last_has_all() -> None:
    """A row of the moment of opening is of the position before."""
    story = held()
    opened_ms = story.state.position.opened_ms if story.state.position else 0
    closed(story)
    read(story, row(1, opened_ms), row(2, opened_ms + 1), row(3, story.now))
    charged = [e for e in story.events if isinstance(e, FundingCharged)]
    assert [event.trade for event in charged] == [0, 1, 1]


def test_the_limit_of_the_day_counts_funding() -> None:
    story = held()
    closed(story)
    limit = story.market().account.equity * story.limits.max_daily_loss_percent / 100
    read(story, row(1, story.now, str(limit * 2)))
    story.facts(story.gone("stop"), story.gone("take"))
    assert story.phase() is Phase.ANALYZING
    story.now += 60_000
    dropped = only(story.propose(candle=600), SignalDropped)
    assert "today, the limit is" in dropped.reason


def test_a_read_that_changes_nothing_is_seldom_noted() -> None:
    story = held()
    closed(story)
    read(story)
    story.now += 2 * LATE_MS
    assert read(story) == ["FundingRead"]  # no row of that trade can come any more
    for minute in range(1, 60):
        assert read(story, through=story.now + minute * 60_000) == []
    assert read(story, through=story.now + HOUR + 1) == ["FundingRead"]


def test_no_collection_grows_for_ever() -> None:
    known = Funding()
    for number in range(2 * MOST_HELD):
        known = funding.held(known, row(number, T0 + number))
    assert len(known.held) == MOST_HELD
    assert sum(each.paid for each in known.held) == D("0.0001") * 2 * MOST_HELD


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_telling_does_not_matter(order: tuple[int, ...]) -> None:
    """The rows before, amid and after the news of the end."""
    story = held()
    rows = [row(n, T0 + (n + 1) * HOUR, f"0.0000{n + 1}") for n in range(3)]
    read(story, rows[order[0]], through=T0)
    closed(story)
    read(story, rows[order[1]], through=T0)
    read(story, rows[order[2]])
    assert story.state.counters.funding == {"BTC": D("0.00006")}
    assert story.state.last_trade is not None
    assert story.state.last_trade.funding == D("0.00006")


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-50, 50)), max_size=30), st.data())
def test_nothing_is_lost_and_nothing_counts_twice(
    charges: list[tuple[int, int]], data: st.DataObject
) -> None:
    """However the rows of a trade are cut into reads, with whatever is read again."""
    story = held()
    rows = [
        row(n, T0 + 1 + hour * HOUR // 2, str(Decimal(paid) / 10**6))
        for n, (hour, paid) in enumerate(charges)
    ]
    ends_at = data.draw(st.integers(0, len(rows)))
    for n, each in enumerate(rows):
        if n == ends_at:
            closed(story)
        read(story, *data.draw(st.lists(st.sampled_from(rows[:n]), max_size=3)) if n else (), each,
             through=T0)  # fmt: skip
    if ends_at >= len(rows):
        closed(story)
    opened_ms = only(story.events, TradeClosed).trade.opened_ms
    due = sum((each.paid for each in rows if each.at_ms > opened_ms), D(0))
    assert story.state.counters.funding == {"BTC": due}
    last = story.state.last_trade
    assert last is not None
    assert last.net == last.gross - last.fees - due == story.state.counters.net["BTC"]


def test_a_log_of_before_has_no_funding() -> None:
    """What an older version stored is read as it was."""
    stored = msgspec.to_builtins(TradeClosed(trade=closed(held())))
    del stored["trade"]["funding"]
    trade = msgspec.convert(stored, TradeClosed).trade
    assert (trade.funding, trade.net) == (D(0), trade.gross - trade.fees)
