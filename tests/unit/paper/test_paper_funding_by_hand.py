"""A trade with funding, three times: by the page, by the exchange, and by the daemon's core.

The page's figures are worked out here in exact fractions; nothing that computes money is used.
"""

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from paper_kit import BTC, FLAT, LINEAR, T0, Lab, replay

from tests.unit.core.core_kit import INVERSE, Story
from tests.unit.core.core_kit import LINEAR as LINEAR_CONTRACT
from tradebaas.core.events import TradeClosed
from tradebaas.core.facts import FillFact, FundingFact
from tradebaas.core.model import Instrument, Trade
from tradebaas.deribit import convert, statements, wire
from tradebaas.deribit.convert import Contracts
from tradebaas.paper.funding import HOUR_MS

PAGE = Path(__file__).parents[3] / "docs" / "arithmetic.md"
RATE = "0.000288"
HOURS = ((1, 0), (3, 1))
"""The rest is sold after three hours, the half of it after one."""
COIN, CENT = Decimal("1E-12"), Decimal("1E-8")


def rounded(value: Fraction, step: Decimal) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(step).normalize()


def page(title: str) -> tuple[list[list[str]], dict[str, Decimal]]:
    """The rows of fills of a section, and its results."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {title}")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines() if re.match(r"\| \S", line) and "---" not in line
    ]  # fmt: skip
    fills = [row for row in rows if row[0] in ("buy", "sell")]
    return fills, {row[0]: Decimal(row[1]) for row in rows if len(row) == 2 and row[0] != "result"}


def sold(lab: Lab, name: str, amount: str) -> list[dict[str, object]]:
    """Bought, half of it sold after one hour and the rest after three."""
    fills = lab.buy(amount, instrument_name=name, label="tb1-aa-1-e")["trades"]
    for hours, _ in HOURS:
        lab.exchange.advance(T0 + hours * HOUR_MS)
        lab.drain()
        fills += lab.sell(str(Decimal(amount) / 2), instrument_name=name, label="tb1-aa-2-c")[
            "trades"
        ]
    found: list[dict[str, object]] = fills
    return found


def by_the_core(lab: Lab, item: Instrument, fills: list[dict[str, object]]) -> Trade:
    """The daemon's trade, of what the exchange says."""
    contracts = Contracts()
    contracts.note(item)
    trades = [msgspec.convert(fill, wire.Trade, strict=False) for fill in fills]
    story = Story(item)
    story.now = T0 - HOUR_MS
    story.up()
    story.now = T0 + 4 * HOUR_MS
    story.facts(*(FillFact(fill=f) for f in convert.bundle((), trades, contracts)[1]))
    log = lab.call(
        "private/get_transaction_log", currency=item.currency, start_timestamp=0,
        end_timestamp=10**14, count=250,
    )  # fmt: skip
    raw = msgspec.Raw(msgspec.json.encode(log, enc_hook=str))
    rows, more = statements._read(raw)
    assert more is None
    story.facts(FundingFact(rows=tuple(rows), through_ms=story.now))
    trade = story.state.last_trade
    assert trade is not None
    assert len([event for event in story.events if isinstance(event, TradeClosed)]) == 1
    return trade


@pytest.mark.parametrize(
    "title, name, item, amount, step",
    [
        ("Funding: inverse", BTC, INVERSE, "80000", COIN),
        ("Funding: linear", LINEAR, LINEAR_CONTRACT, "0.5", CENT),
    ],
)
def test_three_hands_come_to_one_result(
    title: str, name: str, item: Instrument, amount: str, step: Decimal
) -> None:
    lab = Lab(replay(*[FLAT] * 245), lockstep=False, funding=Decimal("0.003"))
    hours = range(T0 // HOUR_MS - 1, T0 // HOUR_MS + 5)
    lab.exchange.terms.funding._rates.update(dict.fromkeys(hours, Decimal(RATE)))
    fills = sold(lab, name, amount)
    trade = by_the_core(lab, item, fills)
    rows, result = page(title)
    told = [(f["direction"], Decimal(str(f["amount"])), Decimal(str(f["price"]))) for f in fills]
    assert told == [(side, Decimal(size), Decimal(price)) for side, size, price, *_ in rows]
    inverse = item is INVERSE
    worths = [
        rounded(Fraction(a) / Fraction(p) if inverse else Fraction(a) * Fraction(p), step)
        for _, a, p, *_ in rows
    ]
    assert worths == [Decimal(row[3]).normalize() for row in rows]
    fees = [rounded(Fraction(worth) * Fraction(35, 100_000), step) for worth in worths]
    assert fees == [Decimal(row[4]).normalize() for row in rows]
    coins = Fraction(amount) / 80_000 if inverse else Fraction(amount) * 80_000
    an_hour = coins * Fraction(RATE) / 8
    paid = rounded(an_hour, step) + rounded(an_hour / 2 * 2, step)
    gross = (worths[0] - worths[1] - worths[2]) * (1 if inverse else -1)
    net = gross - sum(fees) - paid
    by_hand = {"gross": gross, "fees": sum(fees), "funding": paid, "net": net}
    assert {key: result[key] for key in by_hand} == by_hand
    for key, value in by_hand.items():
        assert getattr(trade, key) == value, key
    before = lab.exchange.config.balance_btc if inverse else lab.exchange.config.balance_usdc
    summary = lab.call("private/get_account_summary", currency=item.currency)
    assert Decimal(summary["equity"]) - before == net
