"""Each kind of difference is found, and what is no fault is not."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tradebaas.access import audit_secret
from tradebaas.audit.account import CouldNotLook, Holdings, Order, http_address
from tradebaas.audit.belief import Belief, of_api, of_store
from tradebaas.audit.belief import Order as Believed
from tradebaas.audit.compare import differences, lasting
from tradebaas.config import AuditSection, Config, ExchangeSection
from tradebaas.core.state import State
from tradebaas.errors import ConfigError

BTC = "BTC-PERPETUAL"
STOP = Order(
    order_id="SLMS-1", instrument_name=BTC, direction="sell", order_type="stop_market",
    amount=Decimal(100), label="tb1-aa-1-s", trigger_price=Decimal(40_000), reduce_only=True,
    order_state="untriggered",
)  # fmt: skip
HELD = Believed(
    order_id="SLMS-1", label="tb1-aa-1-s", instrument=BTC, direction="sell", amount=Decimal(100),
    trigger_price=Decimal(40_000), reduce_only=True,
)  # fmt: skip
ACCOUNT = Holdings(positions={BTC: Decimal(100)}, orders={"SLMS-1": STOP})
BELIEF = Belief(
    account="1 of somewhere", seq=7, positions={BTC: Decimal(100)}, orders={"SLMS-1": HELD},
    unproven=frozenset(), foreign=frozenset(),
)  # fmt: skip
replace = msgspec.structs.replace


def holding(stop: Order | None = STOP, **positions: Decimal) -> Holdings:
    orders = {} if stop is None else {stop.order_id: stop}
    return Holdings(positions={BTC: Decimal(100), **positions}, orders=orders)


def found(account: Holdings, held: Belief) -> dict[str, tuple[str, str]]:
    return {d.what: (d.exchange, d.daemon) for d in differences(account, held)}


def test_an_account_that_is_as_believed_differs_in_nothing() -> None:
    assert found(ACCOUNT, BELIEF) == {}


def test_amounts_that_are_written_otherwise_are_the_same() -> None:
    account = holding(replace(STOP, amount=Decimal("1E+2"), trigger_price=Decimal("40000.0")))
    assert found(account, BELIEF) == {}


@pytest.mark.parametrize(
    ("account", "held", "what"),
    [
        (holding(None), BELIEF, {"order SLMS-1", f"protection {BTC}"}),
        (ACCOUNT, replace(BELIEF, orders={}), {"order SLMS-1"}),
        (ACCOUNT, replace(BELIEF, positions={}), {f"position {BTC}"}),
        (ACCOUNT, replace(BELIEF, positions={BTC: Decimal(90)}), {f"position {BTC}"}),
        (
            replace(ACCOUNT, positions={}),
            replace(BELIEF, positions={BTC: Decimal(-100)}),
            {f"position {BTC}"},
        ),
        (holding(ETH_PERPETUAL=Decimal(1)), BELIEF,
         {"position ETH_PERPETUAL", "protection ETH_PERPETUAL"}),
        (holding(replace(STOP, amount=Decimal(90))), BELIEF,
         {"amount of order SLMS-1", f"protection {BTC}"}),
        (holding(replace(STOP, filled_amount=Decimal(10))), BELIEF,
         {"filled of order SLMS-1", f"protection {BTC}"}),
        (holding(replace(STOP, trigger_price=Decimal(39_000))), BELIEF,
         {"trigger price of order SLMS-1"}),
        (holding(replace(STOP, reduce_only=False)), BELIEF,
         {"reduce only of order SLMS-1", f"protection {BTC}"}),
        (holding(replace(STOP, direction="buy")), BELIEF,
         {"direction of order SLMS-1", f"protection {BTC}"}),
        (holding(replace(STOP, order_type="take_market")), BELIEF, {f"protection {BTC}"}),
        (holding(replace(STOP, is_secondary_oto=True)), BELIEF, {f"protection {BTC}"}),
    ],
)  # fmt: skip
def test_each_difference_has_its_name(account: Holdings, held: Belief, what: set[str]) -> None:
    assert set(found(account, held)) == what


def test_a_secondary_whose_primary_has_filled_protects() -> None:
    account = holding(replace(STOP, is_secondary_oto=True, order_state="open"))
    assert found(account, BELIEF) == {}


def test_what_the_daemon_knows_to_be_the_owners_is_no_news() -> None:
    owned = replace(STOP, order_id="9", label="", order_type="limit", reduce_only=False)
    account = Holdings(positions={"ETH-PERPETUAL": Decimal(5)}, orders={"9": owned})
    names = frozenset({"order 9", "position ETH-PERPETUAL"})
    flat = replace(BELIEF, positions={}, orders={})
    assert found(account, replace(flat, foreign=names)) == {}
    assert found(account, flat) == {
        "order 9": (f"not ours: sell 100 {BTC} (limit)", "nothing"),
        "position ETH-PERPETUAL": ("+5", "nothing"),
        "protection ETH-PERPETUAL": ("+5, and stops for 0", "a stop for every position, in full"),
    }


def test_an_order_whose_outcome_the_daemon_does_not_know_is_told_as_that() -> None:
    held = replace(BELIEF, orders={}, unproven=frozenset({"tb1-aa-1-s"}))
    words = f"tb1-aa-1-s: sell 100 {BTC} (stop_market)"
    assert found(ACCOUNT, held) == {"order SLMS-1": (words, "unproven")}


def test_only_what_two_looks_show_is_a_difference() -> None:
    first = differences(holding(None), BELIEF)
    assert lasting(first, differences(ACCOUNT, BELIEF)) == ()
    less = holding(replace(STOP, amount=Decimal(90)))
    assert [d.what for d in lasting(first, differences(less, BELIEF))] == [f"protection {BTC}"]


def test_what_store_and_api_say_is_the_same_belief() -> None:
    state: dict[str, Any] = msgspec.to_builtins(
        State(account="1 of there", seq=7, foreign={"order 9": "a foreign order"}), str_keys=True
    )
    order = msgspec.to_builtins(HELD)
    pending = {"intent": {"label": "tb1-aa-2-e"}, "sent": True}
    held = {"instrument": BTC, "size": "100"}
    beside = {"instrument": "ETH-PERPETUAL", "size": "-7"}
    shown = {"account": "1 of there", "seq": 7, "life": 1, "life_up": True}
    stored = state | {
        "orders": {"SLMS-1": order}, "pending": {"tb1-aa-2-e": pending}, "position": held,
        "elsewhere": {"ETH-PERPETUAL": beside},
    }  # fmt: skip
    by_api = of_api(
        shown | {"position": held, "elsewhere": {"ETH-PERPETUAL": beside}},
        shown | {"orders": [order], "pending": [pending], "foreign": state["foreign"]},
    )
    assert by_api == of_store(msgspec.json.encode(stored))
    assert by_api.positions == {BTC: Decimal(100), "ETH-PERPETUAL": Decimal(-7)}
    assert by_api.unproven == {"tb1-aa-2-e"}
    assert by_api.foreign == {"order 9"}


def test_an_api_that_says_something_else_is_no_agreement() -> None:
    with pytest.raises(CouldNotLook, match="something unknown"):
        of_api({"seq": 1, "account": ""}, {"seq": 1, "account": ""})


def test_the_same_exchange_answers_by_http() -> None:
    assert http_address("wss://www.deribit.com/ws/api/v2") == "https://www.deribit.com/api/v2"
    assert http_address("ws://127.0.0.1:8022/ws/api/v2") == "http://127.0.0.1:8022/api/v2"


def test_a_real_exchange_wants_a_key_for_auditing() -> None:
    real = ExchangeSection(environment="testnet", client_id="daemon")
    secret = {"TRADEBAAS_AUDIT_SECRET": "shh", "TRADEBAAS_CLIENT_SECRET": "the daemon's"}
    with pytest.raises(ConfigError, match="no key for auditing testnet"):
        audit_secret(Config(exchange=real), secret)
    config = Config(exchange=real, audit=AuditSection(client_id="auditor"))
    assert audit_secret(config, secret) == "shh"
    with pytest.raises(ConfigError, match="TRADEBAAS_AUDIT_SECRET"):
        audit_secret(config, {"TRADEBAAS_CLIENT_SECRET": "the daemon's"})
