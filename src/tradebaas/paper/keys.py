"""The accounts of the embedded exchange, and the keys that open them.

There is always the main account. ``--account`` adds others, each with a key of its own name;
``--key`` adds keys that may do less, for any of them. Secrets stay in the settings: what the
exchange remembers of an account is its money, under its name.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import msgspec

from tradebaas.errors import ConfigError
from tradebaas.paper.saved import MAIN
from tradebaas.paper.scopes import LEVELS, granted

ACCOUNT_FORM = "NAME:SECRET:BTC[:USDC]"
KEY_FORM = "ID:SECRET:ACCOUNT:SCOPE"
MAIN_IS_CALLED = "paper"
"""By those who write a key for the main account."""


class AccountConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An account, and what it begins with."""

    name: str
    balance_btc: Decimal
    balance_usdc: Decimal = Decimal(0)


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What opens an account; ``scope`` is the most that it grants, "" everything."""

    client_id: str
    secret: str
    account: str = MAIN
    scope: str = ""


def read_account(text: str) -> tuple[AccountConfig, Key]:
    """Return the account that a text like ``alice:secret:1.5`` describes, and its key.

    Raises:
        ConfigError: naming what is wrong with it.
    """
    name, *rest = text.split(":")
    if len(rest) not in {2, 3} or not all((name, *rest)):
        raise ConfigError(f"account {name!r} is not written as {ACCOUNT_FORM}")
    secret, *money = rest
    btc, usdc = (_balance(name, number) for number in (*money, "0")[:2])
    account = AccountConfig(name=name, balance_btc=btc, balance_usdc=usdc)
    return account, Key(client_id=name, secret=secret, account=name)


def read_key(text: str) -> Key:
    """Return the key that a text like ``audit:secret:alice:trade:read`` describes.

    Raises:
        ConfigError: naming what is wrong with it.
    """
    client_id, *rest = text.split(":", 3)
    if len(rest) != 3 or not all((client_id, *rest)):
        raise ConfigError(f"key {client_id!r} is not written as {KEY_FORM}")
    secret, account, scope = rest
    for word in scope.replace(",", " ").split():
        area, _, level = word.partition(":")
        if area not in granted("") or level not in LEVELS:
            known = ", ".join(f"{name}:{level}" for name in granted("") for level in LEVELS)
            raise ConfigError(f"key {client_id!r}: {word!r} is no scope; there are: {known}")
    named = MAIN if account == MAIN_IS_CALLED else account
    words = scope.replace(",", " ")
    return Key(client_id=client_id, secret=secret, account=named, scope=words)


def check_keys(accounts: Sequence[AccountConfig], keys: Sequence[Key]) -> None:
    """Refuse accounts and keys that are not told apart, or that belong to none.

    Raises:
        ConfigError: naming the account or the key.
    """
    names = [account.name for account in accounts]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"account {name!r} is given twice; give each a name of its own")
    ids = [key.client_id for key in keys]
    for key in keys:
        if not key.client_id or not key.secret:
            raise ConfigError("client_id and client_secret must not be empty")
        if ids.count(key.client_id) > 1:
            raise ConfigError(f"key {key.client_id!r} is given twice; give each an id of its own")
        if key.account not in names:
            raise ConfigError(
                f"key {key.client_id!r} is for account {key.account!r}, which there is not; "
                f"there are: {', '.join((MAIN_IS_CALLED, *names[1:]))}"
            )


def _balance(name: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ConfigError(f"account {name!r}: balance {text!r} is not a number") from None
