"""Deribit's methods for what does not exist here: options, combos, blocks, quotes, wallets.

A question about them has a true answer, that there are none. An order to do something with them is
refused with 10033 and the reason, after the login has been looked at as for any other method.
"""

from collections.abc import Callable
from typing import Any

from tradebaas.paper import params
from tradebaas.paper import report_params as report
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Params, Refused


def _always(answer: object) -> Callable[[Call, Params], object]:
    return lambda _call, _asked: answer


def _of_currency(answer: object) -> Callable[[Call, report.OneCurrency], object]:
    def handler(_: Call, asked: report.OneCurrency) -> object:
        params.in_currency(asked.currency)
        return answer

    return handler


def _none_found(_: Call, __: Params) -> object:
    raise NOT_FOUND


def _refusing(reason: str) -> Callable[[Call, Params], object]:
    def handler(_: Call, __: Params) -> object:
        raise Refused(10033, "not_implemented", {"reason": reason})

    return handler


NO_ROWS: Wire = {"count": 0, "data": []}
NO_RFQS: Wire = {"block_rfqs": [], "continuation": None}
LISTS: Wire = {
    "public/get_combo_ids": [],
    "public/get_combos": [],
    "public/get_rfqs": [],
    "private/get_address_book": [],
    "private/get_current_deposit_address": None,
    "private/get_deposits": NO_ROWS,
    "private/get_last_block_trades_by_currency": {"trades": [], "next": None},
    "private/get_transfers": NO_ROWS,
    "private/get_withdrawals": NO_ROWS,
}
"""What is asked for with a currency."""
NOTHING: Wire = {
    "public/get_announcements": [],
    "public/get_block_rfq_trades": NO_RFQS,
    "private/get_block_rfq_makers": [],
    "private/get_block_rfq_quotes": [],
    "private/get_block_rfqs": NO_RFQS,
    "private/get_block_trade_requests": [],
    "private/get_block_trades": {"block_trades": [], "next_start_id": None},
    "private/get_broker_trade_requests": [],
    "private/get_broker_trades": {"history": [], "next_start_id": None},
    "private/get_mmp_config": [],
    "private/get_mmp_status": [],
    "private/get_new_announcements": [],
    "private/get_pending_block_trades": [],
    "private/list_custody_accounts": [],
    "private/cancel_all_block_rfq_quotes": 0,
    "private/cancel_quotes": 0,
}
UNKNOWN_THINGS = ("public/get_combo_details", "private/get_block_trade")
"""What names one thing of which there are none."""
NOT_FOUND = Refused(13020, "not_found")

REFUSED: dict[str, tuple[str, ...]] = {
    "there are no options": ("private/get_leg_prices",),
    "there are no combos": ("private/create_combo",),
    "there are no market maker's quotes and no protection of them": (
        "private/mass_quote",
        "private/reset_mmp",
        "private/set_mmp_config",
    ),
    "there are no block trades and no requests for quotes": (
        "private/accept_block_rfq",
        "private/add_block_rfq_quote",
        "private/approve_block_trade",
        "private/cancel_block_rfq",
        "private/cancel_block_rfq_quote",
        "private/cancel_block_rfq_trigger",
        "private/create_block_rfq",
        "private/edit_block_rfq_quote",
        "private/execute_block_trade",
        "private/get_block_rfq_user_info",
        "private/invalidate_block_trade_signature",
        "private/reject_block_trade",
        "private/send_rfq",
        "private/simulate_block_trade",
        "private/verify_block_trade",
    ),
    "money neither comes nor goes": (
        "private/add_to_address_book",
        "private/cancel_transfer_by_id",
        "private/cancel_withdrawal",
        "private/delete_address_beneficiary",
        "private/get_address_beneficiary",
        "private/list_address_beneficiaries",
        "private/save_address_beneficiary",
        "private/set_clearance_originator",
        "private/create_deposit_address",
        "private/remove_from_address_book",
        "private/submit_transfer_between_subaccounts",
        "private/submit_transfer_to_subaccount",
        "private/submit_transfer_to_user",
        "private/update_in_address_book",
        "private/withdraw",
    ),
    "accounts and keys are given at the start (--account, --key)": (
        "public/exchange_token",
        "private/change_api_key_name",
        "private/change_scope_in_api_key",
        "private/change_subaccount_name",
        "private/create_api_key",
        "private/create_subaccount",
        "private/disable_api_key",
        "private/edit_api_key",
        "private/enable_api_key",
        "private/move_positions",
        "private/remove_api_key",
        "private/remove_subaccount",
        "private/reset_api_key",
        "private/set_email_for_subaccount",
        "private/toggle_notifications_from_subaccount",
        "private/toggle_subaccount_login",
    ),
    "there is one margin model, the standard one": (
        "private/change_margin_model",
        "private/pme/simulate",
        "private/simulate_portfolio",
        "private/toggle_portfolio_margining",
    ),
    "there are no pages, letters and partners": (
        "private/enable_affiliate_program",
        "private/get_affiliate_program_info",
        "private/get_email_language",
        "private/set_announcement_as_read",
        "private/set_disabled_trading_products",
        "private/set_email_language",
    ),
    "there are no yield-bearing tokens": (
        "public/get_apr_history",
        "private/get_reward_eligibility",
    ),
}
"""What cannot be done, by the reason."""


def _no_index_values(_: Call, asked: report.VolatilityIndex) -> object:
    """There is no volatility index without options."""
    params.in_currency(asked.currency)
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    return {"data": [], "continuation": None}


def _no_mark_prices(_: Call, asked: params.FundingSpan) -> object:
    """Deribit keeps them of some options, and has an empty list for everything else."""
    params.instrument(asked.instrument_name)
    params.check_span(asked.start_timestamp, asked.end_timestamp)
    return []


ELSEWHERE: dict[str, Method[Any]] = {
    **{name: Method(Params, _always(answer)) for name, answer in NOTHING.items()},
    **{name: Method(report.OneCurrency, _of_currency(answer)) for name, answer in LISTS.items()},
    **{name: Method(Params, _none_found) for name in UNKNOWN_THINGS},
    **{
        name: Method(Params, _refusing(reason))
        for reason, names in REFUSED.items()
        for name in names
    },
    "public/get_mark_price_history": Method(params.FundingSpan, _no_mark_prices),
    "public/get_volatility_index_data": Method(report.VolatilityIndex, _no_index_values),
}
