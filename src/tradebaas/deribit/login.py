"""What is said first on a connection, and how the login is kept.

Hello (the embedded exchange says how its clock runs), auth, heartbeat, status; then that resting
orders outlive the connection, since an account-wide cancel-on-disconnect would take our stops with
it (protocol dossier sections 3 to 5). Tokens are used by the socket itself and never sent along.
"""

from collections.abc import Callable
from typing import final

from tradebaas import __version__
from tradebaas.deribit import auth, wire
from tradebaas.deribit.auth import Credentials
from tradebaas.deribit.calls import Caller, ask, of
from tradebaas.deribit.errors import CallFailed
from tradebaas.deribit.rpc import Params

HEARTBEAT_S = 10
REFRESH_AT = 0.8


@final
class Login:
    """The login of one connection. ``stamp`` gives the exchange's wall time and a new nonce."""

    def __init__(
        self, credentials: Credentials, grant: str, stamp: Callable[[], tuple[int, str]]
    ) -> None:
        self.count = 0
        self._credentials = credentials
        self._grant = grant
        self._stamp = stamp
        self._tokens = wire.Tokens(refresh_token="", expires_in=0)

    @property
    def refresh_after_s(self) -> float:
        """Seconds after a login or refresh at which the token should be renewed."""
        return max(1.0, REFRESH_AT * self._tokens.expires_in)

    async def introduce(self, link: Caller) -> str:
        """Say hello, log in, switch on heartbeats; returns what the exchange says is locked.

        Raises:
            CallFailed, Unanswered, LinkLost: as ``Link.call``.
            ConfigError: the grant does not exist.
        """
        params: Params = {"client_name": "tradebaas", "client_version": __version__}
        hello = await ask(link, "public/hello", params, of(wire.Hello))
        if hello.clock is not None:
            said = hello.clock
            link.clock.configure(said.rate, said.lockstep, said.wall_now)
        await self.authenticate(link)
        await link.call("public/set_heartbeat", {"interval": HEARTBEAT_S})
        status = await ask(link, "public/status", {}, of(wire.Status))
        await _keep_orders_after_disconnect(link)
        return str(status.locked or "")

    async def authenticate(self, link: Caller) -> None:
        """Log in with the key.

        Raises: as ``introduce``.
        """
        await self._auth(link, auth.login_params(self._credentials, self._grant, *self._stamp()))

    async def refresh(self, link: Caller) -> None:
        """Renew the token; with the key if the refresh token is refused.

        Raises: as ``introduce``.
        """
        try:
            await self._auth(link, auth.refresh_params(self._tokens.refresh_token))
        except CallFailed:
            await self.authenticate(link)

    async def _auth(self, link: Caller, params: Params) -> None:
        self._tokens = await ask(link, "public/auth", params, of(wire.Tokens))
        self.count += 1


async def _keep_orders_after_disconnect(link: Caller) -> None:
    scope: Params = {"scope": "connection"}
    method = "private/get_cancel_on_disconnect"
    if (await ask(link, method, scope, of(wire.CancelOnDisconnect))).enabled:
        await link.call("private/disable_cancel_on_disconnect", scope)


def hint(error: CallFailed) -> str:
    """What a person should do about a refused login, "" when the error says it."""
    match error.code:
        case 13004:
            return "; check client_id and secret"
        case 13021 | 13403:
            return "; the key needs the scopes trade:read_write and account:read"
        case _:
            return ""
