"""Each notice says what happened, what the daemon did, and what the person should do."""

from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import fields, replace

from chaos.corrupt.sample import NOW_MS, make
from tests.unit.cli.test_cli_describe import CASES, REPORT
from tradebaas.core import events as e
from tradebaas.core.model import ContractKind, Direction, Fill, Intent, Leg, Phase, Role
from tradebaas.notices.model import Notice, body_of, title_of
from tradebaas.notices.words import NAMES, TOLD, Teller
from tradebaas.settings import NoticesSection
from tradebaas.store.halt import clear_halt, read_halt
from tradebaas.store.place import Place
from tradebaas.store.restore import restore

D = Decimal
DATA = Path("/somewhere/data")
ENTRY = "tb1-ab-7-e"
INTENT = Intent(
    label=ENTRY,
    role=Role.ENTRY,
    instrument="BTC-PERPETUAL",
    direction=Direction.SELL,
    amount=D(100),
    order_type="limit",
    reduce_only=False,
    life=1,
    connection=1,
    intended_ms=1,
    valid_until_ms=2,
    price=D(50000),
    legs=(
        Leg(label="tb1-ab-7-s", order_type="stop_market", trigger_price=D(51000)),
        Leg(label="tb1-ab-7-t", order_type="limit", price=D(48000)),
    ),
)
NEXT = replace(INTENT, label="tb1-ab-9-e")
OPENED = e.PhaseChanged(source=Phase.ENTERING_POSITION, target=Phase.POSITION_OPEN, cause="filled")
SWITCHES = {field.name for field in fields(NoticesSection) if field.type is bool}


def fill(amount: str, price: str) -> e.Filled:
    return e.Filled(
        fill=Fill(
            trade_id=price, order_id="1", label=ENTRY, instrument="BTC-PERPETUAL",
            contract=ContractKind.INVERSE, direction=Direction.SELL, amount=D(amount),
            price=D(price), fee=D(0), currency="BTC", at_ms=1,
        )
    )  # fmt: skip


def told(*events: e.Event) -> list[Notice]:
    teller = Teller(DATA)
    return [notice for event in events if (notice := teller.tell(event)) is not None]


@pytest.mark.parametrize("event", [event for event, _ in CASES], ids=lambda e: type(e).__name__)
def test_a_notice_has_all_its_parts_and_a_switch(event: e.Event) -> None:
    unknown = [e.OrderUnknown(label=ENTRY, reason="lost")]
    for notice in told(*unknown, event):
        assert notice.kind in SWITCHES
        for words in (notice.title, notice.happened, notice.did, notice.todo):
            assert words.strip() == words
            assert words
            assert "\n" not in words


def test_every_kind_that_is_told_is_an_event_by_its_name_in_the_log() -> None:
    assert {kind.__name__ for kind in TOLD} == NAMES
    assert {type(event).__name__ for event, _ in CASES} >= NAMES


def test_every_switch_has_a_notice() -> None:
    by_event = {n.kind for event, _ in CASES for n in told(event)}
    by_event |= {n.kind for n in told(replace_cause(e.Recovered(report=REPORT)), OPENED)}
    by_event |= {n.kind for n in told(e.LifeStarted(life=2, token="t", wall_ms=1, cause="x Y"))}
    assert SWITCHES - by_event == {"backup_failed", "store", "daily"}  # those are conditions


def replace_cause(event: e.Recovered) -> e.Recovered:
    return replace(event, report=replace(event.report, cause="killed"))


def test_an_opened_position_is_told_with_what_it_cost_and_its_legs() -> None:
    (notice,) = told(
        e.OrderIntended(intent=INTENT), fill("40", "50000"), fill("60", "50010"), OPENED
    )
    assert notice.happened == (
        "Short 100 BTC-PERPETUAL at 50006, stop loss 51000, take profit 48000 [tb1-ab-7-e]."
    )


def test_without_its_fills_an_opened_position_is_told_all_the_same() -> None:
    (notice,) = told(OPENED)
    assert notice.happened == "A position is open (filled)."
    _, second = told(e.OrderIntended(intent=INTENT), fill("100", "50000"), OPENED,
                     e.OrderIntended(intent=NEXT), OPENED)  # fmt: skip
    assert second.happened == "A position is open (filled)."  # not as the one before


def test_only_an_order_that_was_unknown_is_told_to_be_proven() -> None:
    adopted = e.OrderAdopted(label=ENTRY, order_id="1", how="read")
    assert told(adopted) == []
    unknown, proven = told(e.OrderUnknown(label=ENTRY, reason="lost"), adopted, adopted)
    assert (unknown.kind, proven.kind) == ("unknown", "unknown")
    assert ENTRY in unknown.happened
    assert "adopted" in proven.happened


def test_a_clean_start_is_told_once_and_a_death_with_its_cause() -> None:
    clean = e.Recovered(report=replace(REPORT, cause="clean start", findings=()))
    assert told(clean) == []
    (killed,) = told(replace_cause(clean))
    assert "killed" in killed.happened
    (twice,) = told(e.LifeStarted(life=3, token="t", wall_ms=1, cause="s KeyError", poisoned=True))
    assert twice.urgent
    assert "s KeyError" in twice.happened


def test_a_command_in_a_notice_can_be_pasted() -> None:
    (halted,) = told(e.Halted(by="operator", reason="lunch"))
    assert halted.todo.endswith(f"resume --data {DATA}")


@pytest.mark.parametrize("unattended", [False, True])
def test_the_halt_of_a_restore_names_what_lists_the_gap(unattended: bool, tmp_path: Path) -> None:
    """The reason is the one that a restore has written."""
    sample = make(tmp_path / "data", rounds=1)
    place = Place(sample.root)
    clear_halt(place)
    restore(place, next(iter(sample.backups)), now_ms=NOW_MS, unattended=unattended)
    (halted,) = told(e.Halted(by="halt file", reason=read_halt(place)))
    assert f"backup gap --data {DATA}" in halted.todo
    assert halted.todo.endswith(f"resume --data {DATA}")


def test_how_a_notice_reads() -> None:
    (halted,) = told(e.Halted(by="operator", reason="lunch"))
    assert title_of(halted) == "TradeBaas: HALTED"
    body = body_of(halted, 1_700_000_000_000, "box, /data")
    happened, did, todo, where = (line for line in body.splitlines() if line)
    assert happened == "Trading is halted by operator: lunch."
    assert did.startswith("What the daemon did: ")
    assert todo.startswith("What you should do: ")
    assert where == "2023-11-14 22:13:20 UTC, box, /data"


def test_a_closed_trade_tells_each_part_of_its_net() -> None:
    event = next(event for event, _ in CASES if isinstance(event, e.TradeClosed))
    trade = replace(
        event.trade, gross=D("0.5"), fees=D("0.02"), funding=D("-0.003"), net=D("0.483")
    )
    (notice,) = told(e.TradeClosed(trade=trade))
    assert "net 0.483 BTC" in notice.title
    assert "Gross 0.5, fees 0.02, funding so far -0.003 BTC." in notice.happened
