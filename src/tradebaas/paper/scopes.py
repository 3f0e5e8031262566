"""What a login may do: the words of its scope, and which of them a method needs.

Protocol dossier section 3: reads of orders, positions and trades need ``trade:read``, whatever
places, changes or cancels orders ``trade:read_write``, the account's summary ``account:read``,
cancel on disconnect ``account:read_write``. A login may ask for less than its key has; what it does
not name at all it has as its key has it. What is not known of Deribit is done like this: ``none``
is refused everywhere, and a word that names no area is left out.
"""

from collections.abc import Iterable, Mapping

LEVELS = ("none", "read", "read_write")
FULL: Mapping[str, str] = {"account": "read_write", "trade": "read_write"}
"""The areas that there are, and what a key without a scope of its own has in each."""
OF_ACCOUNT = (
    *("get_account", "get_subaccounts", "get_cancel_on_disconnect", "get_transaction_log"),
    *("get_access_log", "list_api_keys", "get_user_locks", "get_address_book"),
    *("get_current_deposit_address", "get_deposits", "get_transfers", "get_withdrawals"),
)
"""What the reads of the account, and of the wallet that it has not got, begin with."""
FOR_ALL = {"subscribe", "unsubscribe", "unsubscribe_all", "logout"}
READ_VERBS = ("get", "list", "simulate", "pme/simulate")
ORDER_VERBS = ("buy", "sell", "edit", "cancel", "close")


def granted(asked: str, most: Mapping[str, str] = FULL) -> dict[str, str]:
    """The levels of a login that asks for ``asked``: at most those of the key, ``most``."""
    levels = dict(most)
    for word in asked.split():
        area, _, level = word.partition(":")
        if area in most and level in LEVELS:
            levels[area] = min(level, most[area], key=LEVELS.index)
    return levels


def worded(levels: Mapping[str, str], names: Iterable[str]) -> str:
    """The scope as the exchange tells it, with the names of its session."""
    areas = [f"{area}:{level}" for area, level in sorted(levels.items())]
    return " ".join([areas[0], "mainaccount", *areas[1:], *names])


def allows(levels: Mapping[str, str], method: str) -> bool:
    """Whether a private method may be called."""
    area, level = _needed(method.removeprefix("private/"))
    return not area or LEVELS.index(levels[area]) >= LEVELS.index(level)


def _needed(name: str) -> tuple[str, str]:
    """Area and level; ("", "") for what every login may do."""
    if name in FOR_ALL:
        return "", ""
    if name.startswith(READ_VERBS):
        return ("account" if name.startswith(OF_ACCOUNT) else "trade"), "read"
    return ("trade" if name.startswith(ORDER_VERBS) else "account"), "read_write"
