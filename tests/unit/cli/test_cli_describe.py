"""Every kind of event can be said in one line, with the numbers that matter."""

import typing
from decimal import Decimal

import msgspec
import pytest

from tradebaas.commands.describe import LINES, describe, number, position_text
from tradebaas.core import events as e
from tradebaas.core import stop_events
from tradebaas.core.funding_events import FundingCharged, FundingRead, FundingRow
from tradebaas.core.model import (
    Absence,
    Assignment,
    ContractKind,
    Direction,
    Edit,
    Fill,
    Intent,
    Leg,
    Moved,
    Order,
    Phase,
    Position,
    Role,
    Signal,
    Trade,
)

D = Decimal
FUNDING = FundingRow(row_id="7", instrument="I", currency="BTC", paid=D("0.00010"), at_ms=2)
ENTRY, STOP, TAKE = "tb1-ab-7-e", "tb1-ab-7-s", "tb1-ab-7-t"
POSITION = Position(
    instrument="BTC-PERPETUAL",
    contract=ContractKind.INVERSE,
    currency="BTC",
    size=D("-1E+2"),
    direction=Direction.SELL,
    ours=True,
    signal_id="s",
    opened_ms=1,
    changed_ms=1,
)
REPORT = e.RecoveryReport(
    life=3,
    cause="killed",
    phase=Phase.POSITION_OPEN,
    events_replayed=12,
    unresolved=(ENTRY,),
    findings=(),
    position="long 10",
    naked_ms=250,
    store_notes=(),
    steps={},
    recovered_seconds=0.5,
    settle_seconds=2.0,
)
CASES: list[tuple[e.Event, str]] = [
    (e.LifeStarted(life=2, token="t", wall_ms=1), "life 2 started"),
    (
        e.LifeStarted(life=2, token="t", wall_ms=1, cause="strategy KeyError", poisoned=True),
        "life 2 started after strategy KeyError; protect-only, the same crash came twice",
    ),
    (e.LifeEnded(life=2, wall_ms=1), "life 2 ended as asked"),
    (e.Linked(connection=1, account="me"), "logged in to the exchange as me (connection 1)"),
    (e.LinkLost(connection=1, reason="reset"), "lost connection 1: reset"),
    (
        e.Reconciled(connection=1, read_ms=5),
        "reconciled with the exchange through connection 1",
    ),
    (
        e.Recovered(report=REPORT),
        "recovered life 3 (killed, in POSITION_OPEN) in 0.50 s + 2.00 s settling: "
        "12 events replayed, 1 unresolved proven, naked 250 ms, long 10",
    ),
    (
        e.Armed(
            assignment=Assignment(
                strategy="ma_cross", parameters={"fast": "3"}, instrument="I", timeframe="1m"
            )
        ),
        "started ma_cross on I 1m (fast=3)",
    ),
    (e.Disarmed(reason="operator"), "stopped: operator"),
    (e.CloseRequested(reason="operator"), "closing the position: operator"),
    (e.Halted(by="operator", reason="lunch"), "HALTED by operator: lunch"),
    (e.Resumed(by="operator"), "resumed by operator"),
    (
        e.ProtectOnlyEntered(cause="disk full", detail="no space"),
        "protect-only because of disk full: no space",
    ),
    (
        e.ProtectCauseGone(cause="disk full"),
        "disk full is over; protect-only until the account is read again",
    ),
    (e.ProtectOnlyLeft(cause="disk full"), "no longer protect-only because of disk full"),
    (
        e.PhaseChanged(source=Phase.IDLE, target=Phase.ANALYZING, cause="armed"),
        "IDLE -> ANALYZING (armed)",
    ),
    (
        e.SignalDetected(
            signal=Signal(
                signal_id="s",
                stream="x",
                instrument="I",
                direction=Direction.BUY,
                candle_ms=1,
                timeframe_ms=1,
                entry=D(100),
                stop=D("90.50"),
                take=D(120),
                reasons=("fast above slow",),
            )
        ),
        "signal to buy I at 100, stop 90.5, take 120 (fast above slow)",
    ),
    (e.SignalDropped(signal_id="s", reason="too late"), "signal dropped: too late"),
    (
        e.OrderIntended(
            intent=Intent(
                label=ENTRY,
                role=Role.ENTRY,
                instrument="I",
                direction=Direction.BUY,
                amount=D(10),
                order_type="limit",
                reduce_only=False,
                life=1,
                connection=1,
                intended_ms=1,
                valid_until_ms=2,
                price=D(100),
                legs=(
                    Leg(label=STOP, order_type="stop_market", trigger_price=D(90)),
                    Leg(label=TAKE, order_type="limit", price=D(120)),
                ),
            )
        ),
        f"entry intended: buy 10 I at 100 with stop loss 90, take profit 120 [{ENTRY}]",
    ),
    (e.OrderNotSent(label=ENTRY, reason="link lost"), f"entry never sent: link lost [{ENTRY}]"),
    (
        e.OrderUnknown(label=STOP, reason="no answer"),
        f"stop loss outcome UNKNOWN: no answer [{STOP}]",
    ),
    (
        e.OrderRejected(label=TAKE, code=10009, message="not enough funds"),
        f"take profit rejected: not enough funds (10009) [{TAKE}]",
    ),
    (
        e.OrderUpdated(
            order=Order(
                order_id="1",
                label=ENTRY,
                instrument="I",
                direction=Direction.BUY,
                order_type="limit",
                state="open",
                amount=D(10),
                filled=D(4),
            )
        ),
        f"entry open, 4 of 10 filled [{ENTRY}]",
    ),
    (
        e.OrderAdopted(label=ENTRY, order_id="1", how="found by label"),
        f"entry adopted: found by label [{ENTRY}]",
    ),
    (
        e.OrderAbandoned(
            label=ENTRY, evidence=Absence(label=ENTRY, read_ms=1, sources=("orders", "trades"))
        ),
        f"entry proven absent (read orders, trades) [{ENTRY}]",
    ),
    (
        e.StopStalled(order_id="7", at_ms=5),
        "stop 7 has fired and nobody trades with it: the position is naked",
    ),
    (
        e.Filled(
            fill=Fill(
                trade_id="1",
                order_id="1",
                label=STOP,
                instrument="I",
                contract=ContractKind.INVERSE,
                direction=Direction.SELL,
                amount=D(10),
                price=D(90),
                fee=D("0.00000100"),
                currency="BTC",
                at_ms=1,
                liquidation=True,
            )
        ),
        "stop loss filled by LIQUIDATION: sell 10 I at 90, fee 0.000001 BTC",
    ),
    (
        e.TradeClosed(
            trade=Trade(
                number=4,
                signal_id="s",
                instrument="I",
                direction=Direction.SELL,
                amount=D(10),
                entry_price=D("100.123"),
                exit_price=D(90),
                opened_ms=1,
                closed_ms=2,
                gross=D(1),
                fees=D("0.1"),
                net=D("0.9"),
                currency="BTC",
                exit_reason="stop loss",
                ours=True,
            )
        ),
        "trade 4 closed: short 10 I 100.12 -> 90, net 0.9 BTC (stop loss)",
    ),
    (
        FundingCharged(row=FUNDING, trade=4),
        "funding of trade 4: paid 0.0001 BTC",
    ),
    (
        FundingCharged(row=msgspec.structs.replace(FUNDING, paid=D("-0.00020"))),
        "funding of a position in I: received 0.0002 BTC",
    ),
    (FundingRead(through_ms=5), "the exchange's transaction log is read up to 5"),
    (
        e.PositionCorrected(instrument="I", at_ms=1, position=None, reason="liquidated"),
        "I is flat at the exchange: liquidated",
    ),
    (
        e.DiscrepancyResolved(instrument="I", size=D(-20), at_ms=1),
        "late fills explain the position of -20 I",
    ),
    (
        e.DiscrepancyGivenUp(instrument="I", reason="they add up to 5 after 61 s"),
        "the fills that are missing in I will not come: they add up to 5 after 61 s",
    ),
    (
        e.PositionElsewhere(instrument="I", position=POSITION, at_ms=1),
        f"a position of ours beside the managed one: {position_text(POSITION)}",
    ),
    (
        e.PositionElsewhere(instrument="I", position=None, at_ms=1),
        "no position of ours beside the managed one any more: I",
    ),
    (
        e.PositionAdopted(position=POSITION, at_ms=1, how="as configured"),
        f"{position_text(POSITION)} was the owner's and is ours now (as configured)",
    ),
    (
        e.Liquidated(instrument="I", amount=D(20), price=D(5), at_ms=1),
        "LIQUIDATED by the exchange: 20 I at 5",
    ),
    (
        stop_events.StopMoved(
            moved=Moved(instrument="I", direction=Direction.BUY, stop=D(9)),
            before=D(8),
            by="strategy",
        ),
        "the stop of I is moved from 8 to 9 by strategy",
    ),
    (
        stop_events.EditIntended(
            edit=Edit(
                order_id="7",
                amount=D(1),
                trigger_price=D(9),
                life=1,
                connection=1,
                intended_ms=1,
                valid_until_ms=2,
            )
        ),
        "edit of stop 7: to 9",
    ),
    (stop_events.EditEnded(order_id="7", reason=""), "edit of stop 7: carried out"),
    (stop_events.EditEnded(order_id="7", reason="late"), "edit of stop 7: not carried out: late"),
    (e.ForeignFound(key="k", detail="order 5"), "not ours: order 5"),
    (
        e.CancelIntended(key="order 7", why="[foreign] orders = close"),
        "cancel of order 7, which is not ours: [foreign] orders = close",
    ),
    (e.ForeignGone(key="k"), "no longer there, was not ours: k"),
    (
        e.FrameRefused(at_ms=1, raw="x" * 100, reason="not\nJSON"),
        f"frame not understood: not JSON: {'x' * 80}…",
    ),
]


@pytest.mark.parametrize("event, line", CASES, ids=lambda case: type(case).__name__)
def test_each_kind_is_said_in_one_line(event: e.Event, line: str) -> None:
    assert describe(event) == line


def test_every_kind_is_covered() -> None:
    kinds = set(typing.get_args(e.Event))
    assert set(LINES) == kinds
    assert {type(event) for event, _ in CASES} == kinds


@pytest.mark.parametrize(
    "value, text",
    [(D("1E+3"), "1000"), (D("1.500"), "1.5"), (D("0E-8"), "0"), (D("-0.10"), "-0.1"), (None, "?")],
)
def test_numbers_are_plain(value: Decimal | None, text: str) -> None:
    assert number(value) == text


def test_positions_in_words() -> None:
    assert position_text(POSITION) == "short 100 BTC-PERPETUAL"
    assert position_text(None) == "flat"


def test_a_settling_too_short_to_show_is_not_told() -> None:
    assert "2.00 s settling" in describe(e.Recovered(report=REPORT))
    brief = msgspec.structs.replace(REPORT, settle_seconds=0.004)
    assert "settling" not in describe(e.Recovered(report=brief))
