"""What nobody knows of Deribit, taken in both ways; each is one setting."""

from decimal import Decimal
from typing import Any

import pytest
from paper_kit import BTC, FLAT, LINEAR, T0, Bar, Lab, RpcError, replay

from tradebaas.errors import ConfigError
from tradebaas.paper.readings import CHOICES, QUESTIONS, Readings, changed, read_readings

D = Decimal
FALLS: tuple[Bar, ...] = (FLAT, ("80000", "80000", "79800", "79800"), ("79800",) * 4)


def lab(*bars: Bar, lockstep: bool = True, **readings: str) -> Lab:
    made = changed(Readings(), readings)
    return Lab(replay(*(bars or (FLAT, FLAT, FLAT))), lockstep=lockstep, readings=made)


def code(client: Lab, method: str, **params: Any) -> int:
    with pytest.raises(RpcError) as refused:
        client.call(method, **params)
    return refused.value.code


def blamed(client: Lab) -> bool:
    """Whether the journal says that the reading ended an order, for the judge to know."""
    return "admin/reading" in [line["method"] for line in client.journal("admin")]


def stop(trigger_price: float, **more: Any) -> dict[str, Any]:
    asked = {"type": "stop_market", "trigger": "mark_price", "trigger_price": trigger_price}
    return {**asked, "instrument_name": BTC, **more}


@pytest.mark.parametrize(("reading", "filled"), [("off", 10), ("on", 0)])
def test_post_only_by_default(reading: str, filled: int) -> None:
    client = lab(post_only=reading)
    assert client.buy(10, price=80_001)["order"]["filled_amount"] == filled
    assert client.buy(10, price=80_001, post_only=False)["order"]["filled_amount"] == 10
    ioc = client.buy(10, price=80_001, time_in_force="immediate_or_cancel")
    assert ioc["order"]["filled_amount"] == 10
    assert client.buy(10)["order"]["post_only"] is False


@pytest.mark.parametrize(("reading", "left"), [("all", []), ("resting", ["stop"])])
def test_what_cancel_on_disconnect_takes(reading: str, left: list[str]) -> None:
    client = lab(cod=reading)
    client.call("private/enable_cancel_on_disconnect")
    client.buy(10, price=79_000, label="limit")
    client.sell(10, **stop(70_000, label="stop"))
    client.exchange.disconnect(client.session)
    assert [order.label for order in client.exchange.desk.live.values()] == left


@pytest.mark.parametrize(("reading", "found"), [("recent", 2), ("live", 1)])
def test_how_long_a_label_finds(reading: str, found: int) -> None:
    client = lab(labels=reading)
    client.buy(10, label="x")
    client.buy(10, price=79_000, label="x")
    assert len(client.by_label("x")) == found


@pytest.mark.parametrize(("side", "kind", "refusal"), [
    ("sell", "stop_market", 10034), ("buy", "stop_market", 10035),
    ("sell", "take_market", 10035), ("buy", "take_market", 10034),
])  # fmt: skip
def test_a_trigger_price_that_is_passed(side: str, kind: str, refusal: int) -> None:
    passed = 80_100 if refusal == 10034 else 79_900
    asked = stop(passed, type=kind, amount=10)
    fired = lab().call(f"private/{side}", **asked)
    assert fired["order"]["order_state"] == "triggered"
    strict = lab(wrong_side="refuse")
    assert code(strict, f"private/{side}", **asked) == refusal
    assert not strict.exchange.desk.orders
    order = strict.call(f"private/{side}", **{**asked, "trigger_price": 160_000 - passed})["order"]
    edit = {"order_id": order["order_id"], "amount": 10, "trigger_price": passed}
    assert code(strict, "private/edit", **edit) == refusal


@pytest.mark.parametrize(("reading", "state"), [("fire", "triggered"), ("refuse", "rejected")])
def test_a_leg_whose_trigger_price_is_passed(reading: str, state: str) -> None:
    client = lab(wrong_side=reading)
    client.bracket(100, 81_000, 80_100)
    orders = {o["order_id"][:4]: o["order_state"] for o in client.by_label("stop")}
    assert orders["SLMS"] == state
    assert blamed(client) is (reading == "refuse")


def test_a_limit_beyond_the_band() -> None:
    beyond = {"instrument_name": BTC, "amount": 10, "price": 90_000}
    assert code(lab(), "private/buy", **beyond) == 10007
    assert lab(band="clamp").call("private/buy", **beyond)["order"]["price"] == 81_200


@pytest.mark.parametrize(("reading", "size"), [("coins", D("-0.5")), ("dollars", D(-40_000))])
def test_the_unit_of_a_linear_position(reading: str, size: Decimal) -> None:
    client = lab(linear_size=reading)
    client.sell("0.5", instrument_name=LINEAR)
    client.buy(100)
    position = client.call("private/get_position", instrument_name=LINEAR)
    assert (position["size"], position["size_currency"]) == (size, D("-0.5"))
    assert client.call("private/get_position", instrument_name=BTC)["size"] == 100


def test_reduce_only_for_more_than_there_is() -> None:
    asked = {"instrument_name": BTC, "amount": 150, "type": "market", "reduce_only": True}
    clips, refuses = lab(), lab(reduce_only="refuse")
    for client in (clips, refuses):
        client.buy(100)
    assert clips.call("private/sell", **asked)["order"]["amount"] == 100
    assert code(refuses, "private/sell", **asked) == 11030
    assert refuses.call("private/sell", **{**asked, "amount": 100})["trades"]


@pytest.mark.parametrize(("reading", "left"), [("clip", 0), ("refuse", 60)])
def test_a_stop_for_more_than_there_is(reading: str, left: int) -> None:
    client = lab(*FALLS, reduce_only=reading)
    client.buy(100)
    client.sell(100, **stop(79_900, reduce_only=True, label="stop"))
    client.sell(40)
    client.play(2)
    assert client.size() == left
    assert blamed(client) is (reading == "refuse")


def test_twice_the_margin() -> None:
    client = lab(margin="twice")
    client.buy(80_000)
    assert client.call("private/get_position", instrument_name=BTC)["initial_margin"] == D("0.0401")
    client.call("admin/reading", readings={"margin": "known"})
    told = client.call("private/get_position", instrument_name=BTC)
    assert told["initial_margin"] == D("0.02005")


def test_the_shapes_of_answers() -> None:
    plain, other = lab(), lab(detailed="orders", trades_by_order="page")
    shapes = []
    for client in (plain, other):
        done = client.buy(10)["order"]["order_id"]
        client.buy(10, price=79_000)
        trades = client.call("private/get_user_trades_by_order", order_id=done)
        shapes.append((client.call("private/cancel_all", detailed=True), trades))
    (reports, listed), (orders, page) = shapes
    assert [order["price"] for order in reports[0]["result"]] == [79_000]
    assert [order["price"] for order in orders] == [79_000]
    assert len(listed) == len(page["trades"]) == 1


@pytest.mark.parametrize(("reading", "borne"), [("birth", True), ("live", False)])
def test_since_when_legs_bear_their_reference(reading: str, borne: bool) -> None:
    client = lab(oco_ref=reading)
    client.bracket(100, 81_000, 79_000, price=79_500, type="limit")
    assert {"oco_ref" in o for label in ("take", "stop") for o in client.by_label(label)} == {borne}
    client.exchange.shock(D(79_400))
    live = [o for o in client.call("private/get_open_orders") if "oco_ref" in o]
    assert len({o["oco_ref"] for o in live}) == 1
    assert len(live) == 2


@pytest.mark.parametrize(("reading", "left"), [("keeps", 1), ("cancels", 0)])
def test_what_a_maintenance_does_to_orders(reading: str, left: int) -> None:
    client = lab(lockstep=False, maintenance=reading)
    client.buy(10, price=79_000)
    client.call("admin/maintenance", after_ms=1_000, for_ms=5_000)
    client.exchange.advance(T0 + 2_000)
    client.drain()
    assert len(client.exchange.desk.live) == left
    driven = [line["outcome"]["result"] for line in client.journal("admin")]
    assert ("cancels" in driven) is (left == 0)


@pytest.mark.parametrize(("reading", "stops"), [("stay", 40), ("go", 0)])
def test_the_legs_of_an_entry_that_is_filled_in_part(reading: str, stops: int) -> None:
    client = lab(part_legs=reading)
    client.call("admin/depth", amount=40)
    client.bracket(
        100, 81_000, 79_000, price=80_000.5, type="limit",
        time_in_force="immediate_or_cancel", trigger_fill_condition="incremental",
    )  # fmt: skip
    assert client.size() == 40
    assert client.exchange.desk.live_stop_amount(BTC) == stops
    assert blamed(client) is (reading == "go")


def test_the_legs_of_an_entry_that_is_filled_whole_stay() -> None:
    client = lab(part_legs="go")
    client.bracket(100, 81_000, 79_000)
    assert client.exchange.desk.live_stop_amount(BTC) == 100


@pytest.mark.parametrize(("reading", "left"), [("harmless", 0), ("harmful", 100)])
def test_a_reduce_only_take_beside_a_stop_that_fires(reading: str, left: int) -> None:
    client = lab(*FALLS, take_leg=reading)
    client.bracket(100, 81_000, 79_900)
    client.play(2)
    assert client.size() == left
    assert not client.exchange.desk.live
    assert blamed(client) is (reading == "harmful")


def test_a_stop_without_a_take_is_not_harmed() -> None:
    client = lab(*FALLS, take_leg="harmful")
    client.buy(100)
    client.sell(100, **stop(79_900, reduce_only=True))
    client.play(2)
    assert client.size() == 0


@pytest.mark.parametrize(("reading", "label"), [("same", "mine"), ("none", "")])
def test_the_label_of_what_fires(reading: str, label: str) -> None:
    client = lab(*FALLS, child_label=reading)
    client.buy(100)
    client.sell(100, **stop(79_900, reduce_only=True, label="mine"))
    client.play(2)
    assert client.trades()[-1]["label"] == label


@pytest.mark.parametrize("reading", ["cancelled", "untriggered"])
def test_what_the_cancel_of_a_stop_shows(reading: str) -> None:
    client = lab(cancelled=reading)
    order_id = client.sell(100, **stop(79_000))["order"]["order_id"]
    answer = client.call("private/cancel", order_id=order_id)
    assert answer["order_state"] == reading
    state = client.call("private/get_order_state", order_id=order_id)
    assert state["order_state"] == "cancelled"
    limit = client.buy(10, price=79_000)["order"]["order_id"]
    assert client.call("private/cancel", order_id=limit)["order_state"] == "cancelled"


@pytest.mark.parametrize(("reading", "refusal"), [("shape", -32602), ("login", 13009)])
def test_what_is_looked_at_first(reading: str, refusal: int) -> None:
    client = lab(first=reading)
    client.session = client.exchange.connect().number
    assert code(client, "private/cancel") == refusal


# ------------------------------------------------------------------------------------- settings


def test_each_question_has_its_words_and_two_answers() -> None:
    assert QUESTIONS.keys() == CHOICES.keys()
    assert {len(values) for values in CHOICES.values()} == {2}
    usual = Readings()
    assert all(getattr(usual, name) == values[0] for name, values in CHOICES.items())


def test_readings_are_read() -> None:
    read = read_readings(("wrong_side=refuse,band=clamp", "first=login"))
    assert read == Readings(wrong_side="refuse", band="clamp", first="login")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wrong_sied=refuse", "did you mean 'wrong_side'"),
        ("band=cut", "write band=refuse or band=clamp"),
        ("band", "'' is none"),
    ],
)
def test_what_is_no_reading_is_said(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_readings((text,))


def test_a_driver_changes_them_while_it_runs() -> None:
    client = lab(band="clamp")
    told = client.call("admin/reading", readings={"wrong_side": "refuse"})["readings"]
    assert (told["wrong_side"], told["band"], told["cod"]) == ("refuse", "clamp", "all")
    assert client.call("admin/reading")["readings"] == told
    assert code(client, "admin/reading", readings={"band": "cut"}) == -32602
