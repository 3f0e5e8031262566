"""Who logs in, and the parameters of ``public/auth`` for each grant (protocol dossier section 3).

The secret lives in one object that no traceback, log line or assertion can print. With
``client_signature`` it never leaves the machine.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import final

from tradebaas.deribit.rpc import Params
from tradebaas.errors import ConfigError

GRANTS = ("client_signature", "client_credentials")


@final
@dataclass(frozen=True, slots=True)
class Credentials:
    """An API key; ``secret`` does not show in ``repr``."""

    client_id: str
    secret: str = field(repr=False)


@final
@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to log in (a ws or wss URL), and as whom.

    ``grant`` is one of ``GRANTS``; ``scope`` is what to ask for ("": whatever the key has).
    """

    url: str
    credentials: Credentials
    grant: str
    scope: str


def signature(secret: str, timestamp_ms: int, nonce: str, data: str = "") -> str:
    """HMAC-SHA256 over timestamp, nonce and data, each line ended but the last; lower-case hex."""
    text = f"{timestamp_ms}\n{nonce}\n{data}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def login_params(credentials: Credentials, grant: str, wall_ms: int, nonce: str) -> Params:
    """Parameters that log in with the key itself.

    ``wall_ms`` must be within 60 s of the exchange's clock, ``nonce`` is used once.

    Raises:
        ConfigError: ``grant`` is none of ``GRANTS``.
    """
    base: Params = {"grant_type": grant, "client_id": credentials.client_id}
    match grant:
        case "client_signature":
            signed = signature(credentials.secret, wall_ms, nonce)
            return base | {"timestamp": wall_ms, "nonce": nonce, "data": "", "signature": signed}
        case "client_credentials":
            return base | {"client_secret": credentials.secret}
        case _:
            raise ConfigError(
                f"exchange.grant is {grant!r}, which does not exist; use {' or '.join(GRANTS)}"
            )


def refresh_params(refresh_token: str) -> Params:
    """Parameters that exchange a refresh token for new tokens."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}
