"""Several accounts on one exchange: each has its own money, orders, news, keys and scopes."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from paper_kit import ALICE, BTC, FLAT, T0, Guest, Lab, RpcError, replay

from tradebaas.errors import ConfigError
from tradebaas.paper.calls import Call
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.entry import place
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.faults import Faults
from tradebaas.paper.journal import Journal
from tradebaas.paper.keys import AccountConfig, Key, check_keys, read_account, read_key
from tradebaas.paper.ledger import restore
from tradebaas.paper.order_params import Entry

D = Decimal
CHANGES = f"user.changes.{BTC}.raw"
READER = Key(client_id="audit", secret="secret", scope="trade:read account:read")


def pair(**settings: Any) -> tuple[Lab, Guest]:
    lab = Lab(replay(*[FLAT] * 4), **{**ALICE, **settings})
    return lab, Guest(lab, "alice")


def refused(client: Lab, method: str, **params: Any) -> int:
    with pytest.raises(RpcError) as error:
        client.call(method, **params)
    return error.value.code


def test_each_account_has_its_own_money_and_positions() -> None:
    lab, alice = pair()
    lab.buy(100)
    alice.sell(500)
    assert (lab.size(), alice.size()) == (D(100), D(-500))
    mine, hers = (c.call("private/get_position", instrument_name=BTC) for c in (lab, alice))
    assert (mine["size"], hers["size"]) == (D(100), D(-500))
    balances = [
        c.call("private/get_account_summary", currency="BTC", extended=True) for c in (lab, alice)
    ]
    assert [int(b["balance"].to_integral_value()) for b in balances] == [1, 2]
    assert [b["username"] for b in balances] == ["paper", "alice"]
    assert balances[0]["id"] != balances[1]["id"]


def test_nobody_sees_or_touches_the_orders_of_another() -> None:
    lab, alice = pair()
    order = lab.buy(100, price=79_000, label="mine")["order"]
    assert order["user_id"] == 4242
    assert alice.call("private/get_open_orders") == []
    assert alice.by_label("mine") == []
    history = alice.call("private/get_order_history_by_instrument", instrument_name=BTC)
    assert history == []
    for method in ("private/cancel", "private/get_order_state"):
        assert refused(alice, method, order_id=order["order_id"]) == 10004
    assert alice.call("private/cancel_all") == 0
    assert [o["label"] for o in lab.call("private/get_open_orders")] == ["mine"]
    lab.buy(10)
    assert alice.call("private/get_user_trades_by_instrument", instrument_name=BTC)["trades"] == []


def test_news_reach_only_the_account_that_they_are_about() -> None:
    lab, alice = pair()
    lab.buy(10)  # the first event tells everybody what they have
    for client in (lab, alice):
        client.call("private/subscribe", channels=[CHANGES, "user.portfolio.btc"])
    lab.buy(100)
    assert {note["channel"] for note in lab.notes} == {CHANGES, "user.portfolio.btc"}
    assert alice.notes == []
    alice.sell(30)
    told = [
        note["data"]["positions"][0]["size"] for note in alice.notes if "orders" in note["data"]
    ]
    assert told == [-30]
    assert len([n for n in lab.notes if n["channel"] == CHANGES]) == 1


def test_both_are_among_the_public_trades() -> None:
    lab, alice = pair()
    lab.buy(100)
    alice.sell(30)
    asked = {"instrument_name": BTC, "count": 2}
    found = lab.call("public/get_last_trades_by_instrument", **asked)["trades"]
    assert [(t["direction"], t["amount"]) for t in found] == [("sell", 30), ("buy", 100)]


def test_a_token_shows_on_any_connection_whose_account_a_call_is_for() -> None:
    lab, alice = pair()
    token = alice.login("alice", "secret", scope="session:hers")["access_token"]
    lab.call("private/buy", instrument_name=BTC, amount=70, type="market", access_token=token)
    assert (lab.size(), alice.size()) == (D(0), D(70))
    assert lab.journal("request")[-1]["account"] == "alice"


def test_a_connection_can_log_in_to_another_account() -> None:
    lab, alice = pair()
    lab.login("alice", "secret")
    lab.buy(40)
    assert (lab.size(), alice.size()) == (D(0), D(40))


def test_a_channel_follows_the_connection_to_another_account() -> None:
    lab, alice = pair()
    lab.call("private/subscribe", channels=[CHANGES])
    lab.login("alice", "secret")
    lab.call("private/subscribe", channels=[CHANGES])
    lab.notes.clear()
    lab.buy(40)
    assert [note["channel"] for note in lab.notes] == [CHANGES]
    assert alice.size() == 40


def test_cancel_on_disconnect_is_a_choice_of_each_account() -> None:
    lab, alice = pair()
    alice.call("private/enable_cancel_on_disconnect", scope="account")
    resting = {name: Guest(lab, name, secret) for name, secret in
               {"alice": "secret", "paper": "paper-secret"}.items()}  # fmt: skip
    for client in resting.values():
        client.buy(10, price=79_000)
    for client in resting.values():
        lab.exchange.disconnect(client.session)
    assert alice.call("private/get_open_orders") == []
    assert len(lab.call("private/get_open_orders")) == 1


def test_an_explicit_choice_survives_another_login() -> None:
    _, alice = pair()
    alice.call("private/enable_cancel_on_disconnect")
    alice.login("alice", "secret")
    assert alice.call("private/get_cancel_on_disconnect", scope="connection")["enabled"] is True


def test_a_key_may_do_less_than_its_account() -> None:
    lab = Lab(replay(FLAT), keys=(READER,))
    reader = Guest(lab, "audit")
    lab.buy(100)
    assert reader.call("private/get_position", instrument_name=BTC)["size"] == 100
    assert refused(reader, "private/buy", instrument_name=BTC, amount=10, type="market") == 13021
    scope = reader.login("audit", "secret", scope="trade:read_write")["scope"]
    assert "trade:read " in scope + " "
    assert "read_write" not in scope


@pytest.mark.parametrize("secret", ["paper-secret", ""])
def test_a_key_opens_no_other_account(secret: str) -> None:
    lab, _ = pair()
    asked = {"grant_type": "client_credentials", "client_id": "alice", "client_secret": secret}
    assert refused(lab, "public/auth", **asked) == 13004
    assert refused(lab, "public/auth", **{**asked, "client_id": "nobody"}) == 13004


def test_the_journal_names_the_accounts_but_the_main_one() -> None:
    lab, alice = pair()
    lab.buy(10)
    alice.bracket(100, 81_000, 79_000)
    for kind in ("order", "trade", "position", "balance", "request"):
        lines = lab.journal(kind)
        assert {line.get("account") for line in lines} == {None, "alice"}, kind
    logins = [line for line in lab.journal("session") if line["event"] == "login"]
    assert {line.get("account") for line in logins} == {None, "alice"}


def test_who_cannot_carry_a_position_is_liquidated_alone() -> None:
    lab, alice = pair()
    lab.buy(1_000)
    alice.buy(5_000_000)
    lab.exchange.shock(D(60_000))
    lab.exchange.check_margin()
    assert lab.size() == 1_000
    assert alice.size() < 5_000_000


def test_a_driver_acts_for_the_account_that_it_logs_in_to() -> None:
    lab, alice = pair()
    order = {"side": "buy", "instrument_name": BTC, "amount": 10, "type": "market"}
    lab.call("admin/order", **order)
    alice.call("admin/order", **order)
    alice.call("admin/order", **order)
    assert (lab.size(), alice.size()) == (D(10), D(20))
    assert alice.call("admin/ledger")["positions"][0]["size"] == 20
    assert lab.call("admin/ledger")["positions"][0]["size"] == 10


def reopened(path: Path, accounts: tuple[AccountConfig, ...]) -> Exchange:
    """The exchange as its file remembers it, with what it does at its start written there."""
    config = ExchangeConfig(directory=path.parent, start_ms=T0, accounts=accounts)
    with closing(Journal(path)) as journal:
        exchange = restore(config, journal, lambda: "token", T0)
        for desk in exchange.desks.values():
            if not desk.orders:
                call = Call(exchange, exchange.connect(), T0, {}, Faults(), desk)
                place(call, "buy", Entry(instrument_name=BTC, amount=D(50), type="market"))
                place(call, "buy", Entry(instrument_name=BTC, amount=D(70), price=D(40_000)))
        step = exchange.take_step()
        journal.commit(step, exchange.saved)
    return exchange


def test_the_file_remembers_each_account_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "exchange.db"
    bob, eve = (AccountConfig(name=name, balance_btc=D(3)) for name in ("bob", "eve"))
    first = reopened(path, (bob,))
    again = reopened(path, (eve,))  # bob has no key any more, and keeps what is his
    assert list(again.desks) == ["", "bob", "eve"]
    assert [desk.user_id for desk in again.desks.values()] == [4242, 4243, 4244]
    for name in ("", "bob"):
        before, after = first.desks[name], again.desks[name]
        assert after.orders == before.orders
        assert after.live == before.live
        assert len(after.live) == 1
        assert after.trades == before.trades
        assert after.account == before.account
        assert after.saved.account_id == before.saved.account_id
    assert again.desks["eve"].account.positions[BTC].size == 50


# ------------------------------------------------------------------------------------- settings


def test_accounts_and_keys_are_read() -> None:
    account, key = read_account("bob:s3cret:1.5:2000")
    assert account == AccountConfig(name="bob", balance_btc=D("1.5"), balance_usdc=D(2000))
    assert key == Key(client_id="bob", secret="s3cret", account="bob")
    assert read_account("bob:s:2")[0].balance_usdc == 0
    audit = read_key("audit:s:paper:account:read,trade:read")
    assert audit == Key(client_id="audit", secret="s", scope="account:read trade:read")
    assert read_key("x:s:bob:trade:none").account == "bob"


@pytest.mark.parametrize("text", ["bob", "bob:s", ":s:1", "bob::1", "bob:s:1:2:3", "bob:s:much"])
def test_what_is_no_account_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"account '"):
        read_account(text)


@pytest.mark.parametrize(
    "text", ["a", "a:s:paper", "a:s:paper:", "a:s:paper:trade", "a:s:paper:trade:much", ":s:p:t"]
)
def test_what_is_no_key_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match=r"key '"):
        read_key(text)


@pytest.mark.parametrize(
    ("accounts", "keys", "says"),
    [
        (("", "bob", "bob"), ("paper",), "account 'bob' is given twice"),
        (("", "bob"), ("paper", "paper"), "key 'paper' is given twice"),
        (("",), ("paper", "bob"), "there are: paper"),
        (("",), ("",), "must not be empty"),
    ],
)
def test_settings_that_do_not_fit_are_said(
    accounts: tuple[str, ...], keys: tuple[str, ...], says: str
) -> None:
    made = [AccountConfig(name=name, balance_btc=D(1)) for name in accounts]
    opened = [Key(client_id=k, secret="s", account=k if k == "bob" else "") for k in keys]
    with pytest.raises(ConfigError, match=says):
        check_keys(made, opened)


def test_secrets_are_not_remembered() -> None:
    lab, _ = pair()
    saved = msgspec.json.encode(lab.exchange.saved)
    lines = b"".join(record.body for step in lab.steps for record in step.records)
    assert b"secret" not in saved + lines.replace(b"client_secret", b"")
