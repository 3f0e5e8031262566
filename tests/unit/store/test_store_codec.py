"""Events and states survive the log, and what this program cannot read it refuses."""

import typing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from store_kit import NOW_MS

from tradebaas.core.events import Disarmed, Event, Filled, Halted, LifeStarted
from tradebaas.core.model import ContractKind, Direction, Fill
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.errors import StoreNewer, Unusable
from tradebaas.store import codec
from tradebaas.store.backup import Mark, create_backup
from tradebaas.store.folding import STATE_FOLD, fold, snapshot_of, state_digest, state_of
from tradebaas.store.log import Log
from tradebaas.store.place import Place
from tradebaas.store.records import NewRecord

LIFE = LifeStarted(life=1, token="5eed0001", wall_ms=NOW_MS)
HALTED = Halted(by="operator", reason="weekend")


def _record(event: Event) -> NewRecord:
    kind, version, body = codec.encode(event)
    return NewRecord(at_ms=NOW_MS, life=1, kind=kind, version=version, body=body)


def _fill(price: str) -> Filled:
    return Filled(
        fill=Fill(
            trade_id="t",
            order_id="o",
            label="tb1-x-1-e",
            instrument="BTC-PERPETUAL",
            contract=ContractKind.INVERSE,
            direction=Direction.BUY,
            amount=Decimal(10),
            price=Decimal(price),
            fee=Decimal("1E-12"),
            currency="BTC",
            at_ms=1,
        )
    )


@pytest.mark.parametrize("event", [LIFE, HALTED, Disarmed(reason=""), _fill("43210.5")])
def test_an_event_comes_back_equal(event: Event) -> None:
    assert codec.decode(_record(event)) == event


@pytest.mark.parametrize("price", ["43210.50", "1E-12", "0.000", "123456789012345678901234567.89"])
def test_every_digit_of_a_decimal_survives(price: str) -> None:
    back = codec.decode(_record(_fill(price)))
    assert isinstance(back, Filled)
    assert str(back.fill.price) == price


def test_every_event_has_its_own_kind() -> None:
    assert set(codec.KINDS.values()) == set(typing.get_args(Event))
    assert all(name == kind.__name__ for name, kind in codec.KINDS.items())


def test_upcasters_lead_from_every_old_version_to_the_present_one() -> None:
    wanted = {(kind, v) for kind, present in codec.VERSIONS.items() for v in range(1, present)}
    assert set(codec.UPCASTERS) == wanted


def test_an_older_version_is_taken_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codec.VERSIONS, "Halted", 3)
    monkeypatch.setitem(
        codec.UPCASTERS, ("Halted", 1), lambda body: {"by": body["who"], "why": body["why"]}
    )
    monkeypatch.setitem(
        codec.UPCASTERS, ("Halted", 2), lambda body: {"by": body["by"], "reason": body["why"]}
    )
    old = msgspec.structs.replace(_record(HALTED), version=1)
    old = msgspec.structs.replace(old, body=b'{"who":"operator","why":"weekend"}')
    assert codec.decode(old) == HALTED
    assert codec.encode(HALTED)[1] == 3


@pytest.mark.parametrize("change", [{"kind": "Unheard"}, {"version": 2}])
def test_what_a_newer_program_wrote_is_refused(change: dict[str, str | int]) -> None:
    record = msgspec.convert({**msgspec.to_builtins(_record(HALTED)), **change}, NewRecord)
    with pytest.raises(StoreNewer, match="which this program does not know") as caught:
        codec.decode(record)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type":"Resumed","by":"x"}', b"\xff"])
def test_a_body_that_does_not_fit_is_refused(body: bytes) -> None:
    with pytest.raises(Unusable, match="an event Halted of version 1 cannot be read"):
        codec.decode(msgspec.structs.replace(_record(HALTED), body=body))


def test_a_missing_upcaster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codec.VERSIONS, "Halted", 2)
    with pytest.raises(Unusable, match="cannot be read"):
        codec.decode(msgspec.structs.replace(_record(HALTED), version=1))


def test_a_state_comes_back_equal_and_has_one_digest(tmp_path: Path) -> None:
    log = Log.open(Place(tmp_path), now_ms=NOW_MS)
    log.recover(FOLD_VERSION)
    log.append([_record(LIFE), _record(HALTED)])
    recovered = log.recover(FOLD_VERSION)
    state = fold(recovered.snapshot, recovered.tail)
    assert state.halted is not None
    assert state.seq == 2
    log.append([], snapshot_of(state))
    log.append([_record(Disarmed(reason="x"))])
    recovered = log.recover(FOLD_VERSION)
    assert recovered.snapshot is not None
    assert state_of(recovered.snapshot) == state
    assert recovered.snapshot.state_digest == state_digest(state)
    end = fold(recovered.snapshot, recovered.tail)
    mark = Mark(end.seq, state_digest(end))
    info = create_backup(Place(tmp_path), now_ms=NOW_MS, fold=STATE_FOLD, expected=mark)
    assert info.state_digest == mark.state_digest.hex()
    log.close()


def test_no_snapshot_is_the_first_state() -> None:
    assert state_of(None) == State()
