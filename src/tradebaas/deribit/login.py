"""What is said first on a connection, and how the login is kept.

Hello (the embedded exchange says how its clock runs), auth, heartbeat; then that resting
orders outlive the connection, since an account-wide cancel-on-disconnect would take our stops with
it (protocol dossier sections 3 to 5). Tokens are used by the socket itself and never sent along.
"""

from collections.abc import Callable
from typing import final

from tradebaas import __version__
from tradebaas.deribit import auth, wire
from tradebaas.deribit.auth import Endpoint
from tradebaas.deribit.calls import Caller, ask, of
from tradebaas.deribit.errors import CallFailed, LoginRefused
from tradebaas.deribit.rpc import Params
from tradebaas.words import REFUSED_LOGIN

CONNECTION: Params = {"scope": "connection"}
TRADING = "trade:read_write"
HEARTBEAT_S = 10
REFRESH_AT = 0.8


@final
class Login:
    """The login of one connection. ``stamp`` gives the exchange's wall time and a new nonce.

    ``cancels_on_disconnect`` says why our stops would go with the connection; "" when they stay.
    """

    def __init__(self, endpoint: Endpoint, stamp: Callable[[], tuple[int, str]]) -> None:
        self.count = 0
        self.cancels_on_disconnect = ""
        self._endpoint = endpoint
        self._stamp = stamp
        self._tokens = wire.Tokens(refresh_token="", expires_in=0)

    @property
    def refresh_after_s(self) -> float:
        """Seconds after a login or refresh at which the token should be renewed."""
        return max(1.0, REFRESH_AT * self._tokens.expires_in)

    @property
    def scope(self) -> str:
        """What was granted; "" when the exchange does not say."""
        return self._tokens.scope or ""

    async def introduce(self, link: Caller) -> None:
        """Say hello, log in, switch on heartbeats, and have our orders outlive the connection.

        Raises:
            CallFailed, Unanswered, LinkLost: as ``Link.call``.
            ConfigError: the grant does not exist.
        """
        await greet(link)
        await self.authenticate(link)
        await link.call("public/set_heartbeat", {"interval": HEARTBEAT_S})
        self.cancels_on_disconnect = await _keep_orders_after_disconnect(link)

    async def authenticate(self, link: Caller) -> None:
        """Log in with the key, for the same scope each time.

        Raises: as ``introduce``.
        """
        endpoint = self._endpoint
        params = auth.login_params(endpoint.credentials, endpoint.grant, *self._stamp())
        scope: Params = {"scope": endpoint.scope} if endpoint.scope else {}
        await self._auth(link, params | scope)

    async def refresh(self, link: Caller) -> None:
        """Renew the token; with the key if the refresh token is refused.

        Raises: as ``introduce``.
        """
        try:
            await self._auth(link, auth.refresh_params(self._tokens.refresh_token))
        except CallFailed:
            await self.authenticate(link)

    async def _auth(self, link: Caller, params: Params) -> None:
        tokens = await ask(link, "public/auth", params, of(wire.Tokens))
        if tokens.scope and TRADING not in tokens.scope.split():
            raise LoginRefused(
                f"{self._endpoint.url} {REFUSED_LOGIN}: it grants only {tokens.scope!r}, the key "
                f"needs {TRADING}, and exchange.scope must ask for it"
            )
        self._tokens = tokens
        self.count += 1


async def greet(link: Caller) -> None:
    """Say who we are; an embedded exchange answers how its clock runs."""
    params: Params = {"client_name": "tradebaas", "client_version": __version__}
    hello = await ask(link, "public/hello", params, of(wire.Hello))
    if hello.clock is not None:
        said = hello.clock
        link.clock.configure(said.rate, said.lockstep, said.wall_now)


async def _keep_orders_after_disconnect(link: Caller) -> str:
    """Have our stops outlive the connection; returns why they would not, "" when they do."""
    if not await _is_on(link):
        return ""
    try:
        await link.call("private/disable_cancel_on_disconnect", CONNECTION)
    except CallFailed as error:
        if error.code not in (13021, 13403):
            raise
        return f"it is on, and only a key with account:read_write may switch it off ({error})"
    return "it stays on though it was switched off" if await _is_on(link) else ""


async def _is_on(link: Caller) -> bool:
    method = "private/get_cancel_on_disconnect"
    return bool((await ask(link, method, CONNECTION, of(wire.CancelOnDisconnect))).enabled)


def hint(error: CallFailed) -> str:
    """What a person should do about a refused login, "" when the error says it."""
    match error.code:
        case 13004:
            return "; check client_id and secret"
        case 13021 | 13403:
            return "; the key needs the scopes trade:read_write and account:read, better read_write"
        case _:
            return ""
