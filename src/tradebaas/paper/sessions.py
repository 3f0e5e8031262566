"""Connections as the exchange sees them: who is logged in, what they hear, their tokens.

Tokens live in memory only, so a restart of the exchange makes every client
log in again. One that was granted over HTTP belongs to no connection, since there is none. Token
life is real time, since clients count it with their own clocks.
"""

import hmac
from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec

from tradebaas.paper.instruments import Wire
from tradebaas.paper.params import Auth, Refused
from tradebaas.paper.scopes import FULL, allows, granted, worded

SIGNATURE_WINDOW_MS = 60_000
MAX_NONCES = 10_000
MAX_TOKENS = 1_000


class Proof(msgspec.Struct, frozen=True):
    """What a single call shows to say whose it is: credentials, or a token, or nothing."""

    credentials: Auth | None = None
    token: str | None = None


class Session(msgspec.Struct, kw_only=True):
    """One connection, or with a ``proof`` a single call that came without one (HTTP).

    ``levels`` are those of its scope (``scopes``). ``held`` is None, or what an admin hold keeps
    back; ``ends`` says that it is cut off after its next answer.
    """

    number: int
    proof: Proof | None = None
    logged_in: bool = False
    levels: Mapping[str, str] = msgspec.field(default_factory=lambda: FULL)
    admin: bool = False
    heartbeat_s: int = 0
    channels: dict[str, tuple[str, ...]] = {}
    held: list[bytes] | None = None
    ends: bool = False


class Token(msgspec.Struct, frozen=True):
    """A granted token; ``session`` is None when any connection may use it."""

    session: int | None
    expires_ms: int
    refreshes: bool
    levels: Mapping[str, str]


class Gate:
    """Checks credentials and remembers the tokens it gave out."""

    def __init__(self, client_id: str, secret: str, ttl_s: int, new_token: Callable[[], str]):
        self._client_id = client_id
        self._secret = secret
        self._ttl_s = ttl_s
        self._new_token = new_token
        self._tokens: dict[str, Token] = {}
        self._nonces: dict[str, int] = {}

    def login(self, session: Session, params: Auth, wall_ms: int) -> Wire:
        """Log a session in and return the tokens.

        Raises:
            Refused: 13004 for wrong credentials, signature, age, nonce or refresh token.
        """
        before = self._tokens.get(params.refresh_token)
        self._prove(session, params, wall_ms)
        session.logged_in = True
        session.levels = granted(params.scope) if before is None else before.levels
        return self._grant(session, params, wall_ms)

    def check(self, session: Session, method: str, token: str | None, wall_ms: int) -> None:
        """Refuse a private call without a login on the connection, a good token or a good proof,
        and one that the scope of these has no room for.

        Raises:
            Refused: 13009, or 13004 when it is shown wrong credentials; 13021 for want of scope.
        """
        if not allows(self._levels(session, token, wall_ms), method):
            raise Refused(13021, "forbidden")

    def _levels(self, session: Session, token: str | None, wall_ms: int) -> Mapping[str, str]:
        proof = session.proof or Proof()
        token = proof.token if token is None else token
        if token is None and proof.credentials is not None:
            self._prove(session, proof.credentials, wall_ms)
            return FULL
        if token is None:
            if session.logged_in:
                return session.levels
        else:
            known = self._tokens.get(token)
            usable = known is not None and not known.refreshes and known.expires_ms > wall_ms
            if known is not None and usable and known.session in {None, session.number}:
                return known.levels
        raise Refused(13009, "unauthorized", {"reason": "invalid_token"})

    def revoke(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()

    def forget(self, session: Session) -> None:
        """Drop the tokens that die with a connection."""
        kept = self._tokens.items()
        self._tokens = {key: item for key, item in kept if item.session != session.number}

    def _prove(self, session: Session, params: Auth, wall_ms: int) -> None:
        match params.grant_type:
            case "client_credentials":
                good = params.client_id == self._client_id and hmac.compare_digest(
                    params.client_secret.encode(), self._secret.encode()
                )
            case "client_signature":
                good = self._signed(params, wall_ms)
            case "refresh_token":
                good = self._take_refresh(session, params.refresh_token, wall_ms)
        if not good:
            raise Refused(13004, "invalid_credentials")

    def _signed(self, params: Auth, wall_ms: int) -> bool:
        text = f"{params.timestamp}\n{params.nonce}\n{params.data}"
        wanted = hmac.new(self._secret.encode(), text.encode(), sha256).hexdigest()
        good = params.client_id == self._client_id and hmac.compare_digest(
            wanted.encode(), params.signature.encode()
        )
        fresh = abs(wall_ms - params.timestamp) <= SIGNATURE_WINDOW_MS
        if not (good and fresh) or params.nonce in self._nonces:
            return False
        if params.nonce:
            self._nonces[params.nonce] = params.timestamp
            if len(self._nonces) > MAX_NONCES:
                del self._nonces[next(iter(self._nonces))]
        return True

    def _take_refresh(self, session: Session, token: str, wall_ms: int) -> bool:
        known = self._tokens.get(token)
        if known is None or not known.refreshes or known.expires_ms <= wall_ms:
            return False
        if known.session not in {None, session.number}:
            return False
        del self._tokens[token]
        return True

    def _grant(self, session: Session, params: Auth, wall_ms: int) -> Wire:
        names = [word for word in params.scope.split() if word.startswith("session:")]
        owner = None if names or session.proof is not None else session.number
        access, refresh = self._new_token(), self._new_token()
        self._tokens[access] = Token(owner, wall_ms + self._ttl_s * 1000, False, session.levels)
        lasts_ms = 10 * self._ttl_s * 1000
        self._tokens[refresh] = Token(owner, wall_ms + lasts_ms, True, session.levels)
        while len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        result: Wire = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "expires_in": self._ttl_s,
            "scope": worded(session.levels, names or ["connection"]),
            "sid": f"paper-{session.number}",
            "enabled_features": [],
        }
        if params.state is not None:
            result["state"] = params.state
        return result
