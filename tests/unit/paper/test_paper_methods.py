"""The page of methods is what the registry says, and the registry is what the exchange does."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from paper_kit import BTC, FLAT, Guest, Lab, RpcError, replay

from tradebaas.paper.elsewhere import ELSEWHERE, LISTS, NOTHING, REFUSED, UNKNOWN_THINGS
from tradebaas.paper.methods import METHODS, OWN, WEBSOCKET_ONLY
from tradebaas.paper.readings import Readings

ROOT = Path(__file__).parents[3]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "methods.py"))
TEXT = (ROOT / "docs" / "exchange-methods.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", TEXT, re.MULTILINE))
REASONS = {name: reason for reason, names in REFUSED.items() for name in names}
QUESTION: dict[str, Any] = {
    "currency": "BTC",
    "instrument_name": BTC,
    "index_name": "btc_usd",
    "length": "8h",
    "start_timestamp": 0,
    "end_timestamp": 10**14,
    "resolution": "1",
    "range": "1d",
    "kind": "future",
    "order_id": "90000000001",
    "ids": [],
    "label": "x",
    "amount": 10,
    "price": 80000,
    "currency_pair": "btc_usd",
    "instrument_id": 900_001,
    "channels": [],
    "client_name": "x",
    "client_version": "1",
    "interval": 10,
    "mode": "reject_taker",
    "type": "all",
    "scope": "connection",
    "depth": 5,
    "refresh_token": "x",
    "tick": 0,
    "session_name": "x",
    "grant_type": "client_credentials",
    "client_id": "paper",
}
"""A value for each parameter that any method must be given; what it does not know is ignored."""
DOCUMENTED = {
    "public": """auth exchange_token fork_token set_heartbeat disable_heartbeat get_time hello
        status test subscribe unsubscribe unsubscribe_all get_announcements get_apr_history
        get_block_rfq_trades get_book_summary_by_currency get_book_summary_by_instrument
        get_combo_details get_combo_ids get_combos get_contract_size get_currencies
        get_delivery_prices get_expirations get_funding_chart_data get_funding_rate_history
        get_funding_rate_value get_historical_volatility get_index_chart_data get_index_price
        get_index_price_names get_instrument get_instruments get_last_settlements_by_currency
        get_last_settlements_by_instrument get_last_trades_by_currency
        get_last_trades_by_currency_and_time get_last_trades_by_instrument
        get_last_trades_by_instrument_and_time get_mark_price_history get_order_book
        get_order_book_by_instrument_id get_rfqs get_supported_index_names get_trade_volumes
        get_tradingview_chart_data get_volatility_index_data ticker""",
    "private": """accept_block_rfq add_block_rfq_quote add_to_address_book approve_block_trade buy
        cancel cancel_all cancel_all_block_rfq_quotes cancel_all_by_currency
        cancel_all_by_currency_pair cancel_all_by_instrument cancel_all_by_kind_or_type
        cancel_block_rfq cancel_block_rfq_quote cancel_block_rfq_trigger cancel_by_label
        cancel_quotes cancel_transfer_by_id cancel_withdrawal change_api_key_name
        change_margin_model change_scope_in_api_key change_subaccount_name close_position
        create_api_key create_block_rfq create_combo create_deposit_address create_subaccount
        delete_address_beneficiary disable_api_key disable_cancel_on_disconnect edit edit_api_key
        edit_block_rfq_quote edit_by_label enable_affiliate_program enable_api_key
        enable_cancel_on_disconnect execute_block_trade get_access_log get_account_summaries
        get_account_summary get_address_beneficiary get_address_book get_affiliate_program_info
        get_block_rfq_makers get_block_rfq_quotes get_block_rfq_user_info get_block_rfqs
        get_block_trade get_block_trade_requests get_block_trades get_broker_trade_requests
        get_broker_trades get_cancel_on_disconnect get_current_deposit_address get_deposits
        get_email_language get_last_block_trades_by_currency get_leg_prices get_margins
        get_mmp_config get_mmp_status get_new_announcements get_open_orders
        get_open_orders_by_currency get_open_orders_by_instrument get_open_orders_by_label
        get_order_history_by_currency get_order_history_by_instrument get_order_margin_by_ids
        get_order_state get_order_state_by_label get_pending_block_trades get_position
        get_positions get_reward_eligibility get_settlement_history_by_currency
        get_settlement_history_by_instrument get_subaccounts get_subaccounts_details
        get_transaction_log get_transfers get_trigger_order_history get_user_locks
        get_user_trades_by_currency get_user_trades_by_currency_and_time
        get_user_trades_by_instrument get_user_trades_by_instrument_and_time
        get_user_trades_by_order get_withdrawals invalidate_block_trade_signature list_api_keys
        list_address_beneficiaries list_custody_accounts logout mass_quote move_positions
        pme/simulate reject_block_trade remove_api_key remove_from_address_book remove_subaccount
        reset_api_key reset_mmp save_address_beneficiary sell send_rfq set_announcement_as_read
        set_clearance_originator set_disabled_trading_products set_email_for_subaccount
        set_email_language set_mmp_config set_self_trading_config simulate_block_trade
        simulate_portfolio submit_transfer_between_subaccounts submit_transfer_to_subaccount
        submit_transfer_to_user subscribe toggle_notifications_from_subaccount
        toggle_portfolio_margining toggle_subaccount_login unsubscribe unsubscribe_all
        update_in_address_book verify_block_trade withdraw""",
}
"""The methods that Deribit documents."""
NAMES = {f"{scope}/{name}" for scope, text in DOCUMENTED.items() for name in text.split()}


@pytest.fixture(scope="module")
def lab() -> Lab:
    made = Lab(replay(FLAT), rate_limits=False)
    made.buy(10, price=79_000)
    return made


def test_the_page_is_what_the_registry_says() -> None:
    assert SCRIPT["page"]() == TEXT, "run: python scripts/methods.py"


def test_every_documented_method_is_in_the_registry_and_nothing_else() -> None:
    assert set(METHODS) - OWN == NAMES
    assert set(ROWS) == set(METHODS)


def test_no_method_stands_in_two_tables() -> None:
    several = [*LISTS, *NOTHING, *REASONS, *UNKNOWN_THINGS]
    assert len(several) == len(set(several))
    assert set(several) <= set(ELSEWHERE)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_method_is_answered_as_the_page_says(lab: Lab, method: str) -> None:
    client = Guest(lab, "paper", "paper-secret") if method in WEBSOCKET_ONLY else lab
    if method == "private/logout":
        return  # it has no answer: tests/unit/paper/test_paper_protocol.py
    try:
        answer, code, data = client.call(method, **QUESTION), 0, None
    except RpcError as error:
        answer, code, data = None, error.code, error.data
    if method in REASONS:
        assert (code, data) == (10033, {"reason": REASONS[method]})
        assert ROWS[method] == f"refused, 10033: {REASONS[method]}"
    elif method in UNKNOWN_THINGS:
        assert code == 13020
    elif method in {*LISTS, *NOTHING}:
        assert (answer, code) == ({**LISTS, **NOTHING}[method], 0)
    else:
        assert code != -32601
        assert ROWS[method].startswith("answered")
    assert ("WebSocket only" in ROWS[method]) == (method in WEBSOCKET_ONLY)


@pytest.mark.parametrize("method", sorted(name for name in NAMES if name.startswith("private/")))
def test_each_private_method_needs_a_login(lab: Lab, method: str) -> None:
    stranger = lab.exchange.connect().number
    text = f'{{"id":1,"method":"{method}","params":{{}}}}'
    lab.exchange.terms.read(Readings(first="login"))
    (answer,) = lab.raw(text, stranger)
    assert answer["error"]["code"] == 13009


@pytest.mark.parametrize("method", sorted(LISTS))
def test_a_currency_that_nobody_knows_is_refused_even_where_there_is_nothing(
    lab: Lab, method: str
) -> None:
    with pytest.raises(RpcError) as refused:
        lab.call(method, currency="DOGE")
    assert (refused.value.code, refused.value.data["param"]) == (-32602, "currency")


@pytest.mark.parametrize("method", ["public/get_index", "private/get_stop_order_history", "x"])
def test_a_retired_method_is_not_found(lab: Lab, method: str) -> None:
    with pytest.raises(RpcError) as refused:
        lab.call(method)
    assert refused.value.code == -32601
