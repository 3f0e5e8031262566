"""Faults by name and chance: what each does to an order, how they are asked for and refused."""

import re
from typing import Any

import msgspec
import pytest
from paper_kit import BTC, FLAT, T0, Lab, RpcError, replay

from tradebaas.errors import ConfigError
from tradebaas.paper.config import ExchangeConfig, check
from tradebaas.paper.mishaps import MISHAPS, read_chances

# What becomes of a buy: is it answered (and with which code), executed, the connection cut?
EXPECTED: dict[str, tuple[Any, bool, bool]] = {
    "call-lost": (None, False, True),
    "call-ignored": (None, False, False),
    "call-refused": (10047, False, False),
    "call-limited": (10028, False, True),
    "call-late": (0, True, False),
    "call-denied": (13028, True, False),
    "ack-lost": (None, True, True),
    "ack-unsent": (None, True, False),
    "ack-wrong": (11094, True, False),
    "ack-late": (0, True, False),
}


def lab_with(**faults: float) -> Lab:
    chances = {name.replace("_", "-"): chance for name, chance in faults.items()}
    return Lab(replay(FLAT, FLAT), lockstep=False, rate_limits=False, faults=chances)


def try_buy(lab: Lab, number: int = 1) -> tuple[list[dict[str, Any]], bool]:
    """Buy, let two seconds pass; the answers, and whether the connection is cut."""
    params = {"instrument_name": BTC, "amount": 10, "type": "market"}
    request = {"id": number, "method": "private/buy", "params": params}
    frames = lab.raw(msgspec.json.encode(request).decode())
    cut = bool(lab.steps[-1].drops)
    lab.front.run_due((lab.exchange.now_ms + 2_000) * 1000, T0, {})
    frames += lab.drain()
    return [frame for frame in frames if frame.get("id") == number], cut


def test_every_mishap_is_expected_of_something() -> None:
    assert EXPECTED.keys() == MISHAPS.keys()


@pytest.mark.parametrize("name", list(MISHAPS))
def test_what_a_fault_does_to_a_call(name: str) -> None:
    lab = lab_with(**{name: 1.0})
    code, executed, cut = EXPECTED[name]
    answers, was_cut = try_buy(lab)
    codes = [answer.get("error", {"code": 0})["code"] for answer in answers]
    assert codes == ([] if code is None else [code])
    assert (lab.size() == 10, was_cut) == (executed, cut)


def test_reads_and_admin_calls_meet_no_chance() -> None:
    lab = lab_with(call_ignored=1.0, call_refused=1.0)
    assert lab.call("private/get_position", instrument_name=BTC)["size"] == 0
    assert lab.call("admin/order", side="buy", instrument_name=BTC, amount=10, type="market")


def refused(**settings: Any) -> list[int]:
    lab = Lab(
        replay(FLAT), lockstep=False, rate_limits=False, faults={"call-refused": 0.3}, **settings
    )
    return [n for n in range(200) if "error" in try_buy(lab, n)[0][0]]


def test_chances_are_kept_and_drawn_from_the_seed() -> None:
    first = refused(seed=7)
    assert 40 < len(first) < 80
    assert refused(seed=7) == first
    assert refused(seed=8) != first


def test_faults_are_switched_while_it_runs() -> None:
    lab = lab_with()
    assert lab.call("admin/faults") == {"faults": {}}
    assert lab.call("admin/faults", faults={"ack-wrong": 1, "ack-late": 0}) == {
        "faults": {"ack-wrong": 1}
    }
    with pytest.raises(RpcError) as caught:
        lab.buy(10)
    assert caught.value.code == 11094
    with pytest.raises(RpcError, match="did you mean 'ack-lost'"):
        lab.call("admin/faults", faults={"ack-lots": 0.1})
    assert lab.call("admin/faults")["faults"] == {"ack-wrong": 1}
    assert lab.call("admin/faults", faults={}) == {"faults": {}}
    lab.buy(10)
    assert [line["method"] for line in lab.journal("admin")][1] == "admin/faults"


def test_calm_ends_chances_too() -> None:
    lab = lab_with(call_refused=1.0)
    lab.front.quiet()
    assert lab.buy(10)["order"]["order_state"] == "filled"


def test_how_faults_are_written() -> None:
    assert read_chances(()) == {}
    assert read_chances(("ack-lost=0.01,call-late=1", "ack-late=0.5")) == {
        "ack-lost": 0.01,
        "call-late": 1.0,
        "ack-late": 0.5,
    }


@pytest.mark.parametrize(
    "text, says",
    [
        ("ack-lots=0.1", "there is no fault 'ack-lots'; did you mean 'ack-lost'?"),
        ("xyzzy=0.1", "there is no fault 'xyzzy'; there are: call-lost, "),
        ("ack-lost", "fault 'ack-lost': the chance is missing; write ack-lost=0.01"),
        ("ack-lost=often", "fault 'ack-lost=often': 'often' is no number; write ack-lost=0.01"),
        ("ack-lost=1.5", "fault ack-lost: 1.5 is no chance; give a number from 0 to 1"),
        ("ack-lost=nan", "fault ack-lost: nan is no chance"),
        ("", "fault '': the chance is missing; write NAME=0.01"),
    ],
)
def test_what_cannot_be_a_fault_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        read_chances((text,))


def test_settings_are_checked_however_they_come(tmp_path: Any) -> None:
    for settings in ({"faults": {"nothing": 0.1}}, {"faults": {"ack-lost": 2.0}}, {"tier": 9}):
        with pytest.raises(ConfigError):
            check(ExchangeConfig(directory=tmp_path, **settings))
