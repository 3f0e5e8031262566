"""Connections as the exchange sees them: who is logged in, what they hear, their tokens.

Tokens live in memory only, so a restart of the exchange makes every client
log in again. One that was granted over HTTP belongs to no connection, since there is none. Token
life is real time, since clients count it with their own clocks. A signature is stamped with the
exchange's time, or with real time by a client that does not know how the exchange's runs.
"""

import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from ipaddress import IPv6Address, ip_address

import msgspec

from tradebaas.paper.desk import Clock
from tradebaas.paper.instruments import Wire
from tradebaas.paper.keys import Key
from tradebaas.paper.params import Auth, Fork, Refused
from tradebaas.paper.saved import MAIN
from tradebaas.paper.scopes import FULL, allows, granted, worded
from tradebaas.paper.told import Told

LOOPBACK = "127.0.0.1"
"""Where who is in the same process comes from, too."""
SIGNATURE_WINDOW_MS = 60_000
"""How old a signature may be, or from how far ahead, in real time."""
MAX_NONCES = 10_000
MAX_TOKENS = 1_000
MAX_SESSIONS = 16
"""Named sessions of a key; one more ends the one that was opened or renewed longest ago."""


def is_near(address: str) -> bool:
    """Return whether an address is one of this machine's own."""
    if address == "localhost":
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    inside = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (inside or parsed).is_loopback


class Proof(msgspec.Struct, frozen=True):
    """What a single call shows to say whose it is: credentials, or a token, or nothing."""

    credentials: Auth | None = None
    token: str | None = None


class Session(msgspec.Struct, kw_only=True):
    """One connection, or with a ``proof`` a single call that came without one (HTTP).

    ``peer`` is the address that it comes from, ``account`` is the one that it is logged in to,
    ``levels`` are those of its scope (``scopes``), ``named`` is the key and the name of the session
    that it logged in with, and ``acts`` says that it has shown once that it may act for an account.
    ``labels`` are told with the news of the channels that bear them, ``told`` has by instrument
    which best prices it was told.
    ``held`` is None, or what an admin hold keeps back; ``ends`` says that it is cut off after its
    next answer.
    """

    number: int
    proof: Proof | None = None
    peer: str = LOOPBACK
    account: str = MAIN
    logged_in: bool = False
    named: tuple[str, str] | None = None
    acts: bool = False
    levels: Mapping[str, str] = msgspec.field(default_factory=lambda: FULL)
    admin: bool = False
    heartbeat_s: int = 0
    channels: dict[str, tuple[str, ...]] = {}
    labels: dict[str, str] = {}
    told: dict[str, Told] = {}
    held: list[bytes] | None = None
    ends: bool = False

    def note_told(self, ticker: Wire) -> None:
        """It is told a ticker, asked for or not."""
        self.told.setdefault(str(ticker["instrument_name"]), Told()).note(ticker)


class Grant(msgspec.Struct, frozen=True):
    """Whose account may be used, how far, by which key, in which named session ("": in none), and
    how long its tokens live (``lasts_s``; a refresh keeps all of it)."""

    account: str
    levels: Mapping[str, str]
    client_id: str = ""
    session: str = ""
    lasts_s: int = 0


class Token(msgspec.Struct, frozen=True):
    """A token that was given out, to the session ``asker``; ``session`` is the one that may use it,
    None when any may."""

    asker: int
    session: int | None
    expires_ms: int
    refreshes: bool
    grant: Grant


NOBODY = Key(client_id="", secret="")


class Gate:
    """Checks credentials and remembers the tokens it gave out.

    ``clock`` is the exchange's, ``rate`` how many of its seconds pass in a real one.
    """

    def __init__(
        self, keys: Iterable[Key], ttl_s: int, new_token: Callable[[], str],
        clock: Clock, rate: float,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._rate = rate
        self._keys = {key.client_id: key for key in keys}
        self._ttl_s = ttl_s
        self._new_token = new_token
        self._tokens: dict[str, Token] = {}
        self._nonces: dict[tuple[str, str], int] = {}
        self._sessions: dict[str, dict[str, None]] = {}

    def login(self, session: Session, params: Auth, wall_ms: int) -> Wire:
        """Log a session in and return the tokens.

        Raises:
            Refused: 13004 for wrong credentials, signature, age, nonce or refresh token.
        """
        grant = self._prove(session, params, wall_ms)
        session.logged_in = True
        session.account, session.levels = grant.account, grant.levels
        tokens, session.named = self._give_tokens(session, params, grant, wall_ms)
        return tokens

    def check(self, session: Session, method: str, token: str | None, wall_ms: int) -> None:
        """Refuse a private call without a login on the connection, a good token or a good proof,
        and one that the scope of these has no room for.

        Raises:
            Refused: 13009, or 13004 when it is shown wrong credentials; 13021 for want of scope.
        """
        grant = self._granted(session, token, wall_ms)
        if not allows(grant.levels, method):
            raise Refused(13021, "forbidden")

    def account_of(self, client_id: str) -> str | None:
        """Return the account that a key opens; None when there is no such key."""
        key = self._keys.get(client_id)
        return None if key is None else key.account

    def keys_of(self, account: str) -> list[Key]:
        """Return the keys of an account, in the order that they were given."""
        return [key for key in self._keys.values() if key.account == account]

    def owner(self, session: Session, token: str | None) -> str | None:
        """Return the account that a call says it is for, unchecked; None for the public."""
        proof = session.proof or Proof()
        token = proof.token if token is None else token
        if token is None and proof.credentials is not None:
            return self._keys.get(proof.credentials.client_id, NOBODY).account
        known = self._tokens.get(token or "")
        if known is not None:
            return known.grant.account
        return session.account if session.logged_in else None

    def _granted(self, session: Session, token: str | None, wall_ms: int) -> Grant:
        proof = session.proof or Proof()
        token = proof.token if token is None else token
        if token is None and proof.credentials is not None:
            return self._prove(session, proof.credentials, wall_ms)
        if token is None:
            if session.logged_in and self._lasts(session.named):
                return Grant(session.account, session.levels)
        else:
            known = self._tokens.get(token)
            usable = known is not None and not known.refreshes and known.expires_ms > wall_ms
            if known is not None and usable and known.session in {None, session.number}:
                return known.grant
        raise Refused(13009, "unauthorized", {"reason": "invalid_token"})

    def fork(self, session: Session, asked: Fork, wall_ms: int) -> Wire:
        """Return tokens of a named session of their own; the one that is shown stays good.

        Raises:
            Refused: 13004 unless it is a refresh token of a named session.
        """
        known = self._tokens.get(asked.refresh_token)
        usable = known is not None and known.refreshes and known.expires_ms > wall_ms
        if known is None or not usable or known.session is not None:
            raise Refused(13004, "invalid_credentials")
        named = Auth(grant_type="refresh_token", scope=f"session:{asked.session_name}")
        return self._give_tokens(session, named, known.grant, wall_ms)[0]

    def revoke(self) -> None:
        """Forget all tokens."""
        self._tokens.clear()

    def invalidate(self, session: Session) -> None:
        """Forget the tokens that a connection was given, those of named sessions as well."""
        kept = self._tokens.items()
        self._tokens = {key: item for key, item in kept if item.asker != session.number}

    def forget(self, session: Session) -> None:
        """Drop the tokens that die with a connection."""
        kept = self._tokens.items()
        self._tokens = {key: item for key, item in kept if item.session != session.number}

    def _prove(self, session: Session, params: Auth, wall_ms: int) -> Grant:
        if params.grant_type == "refresh_token":
            grant = self._take_refresh(session, params.refresh_token, wall_ms)
        else:
            grant = self._of_key(params, wall_ms)
        if grant is None:
            raise Refused(13004, "invalid_credentials")
        return grant

    def _of_key(self, params: Auth, wall_ms: int) -> Grant | None:
        key = self._keys.get(params.client_id, NOBODY)
        if params.grant_type == "client_signature":
            good = self._signed(key, params, wall_ms)
        else:
            good = hmac.compare_digest(params.client_secret.encode(), key.secret.encode())
        if not good or key is NOBODY:
            return None
        levels = granted(params.scope, granted(key.scope))
        return Grant(key.account, levels, key.client_id, lasts_s=self._ttl_s)

    def _signed(self, key: Key, params: Auth, wall_ms: int) -> bool:
        text = f"{params.timestamp}\n{params.nonce}\n{params.data}"
        wanted = hmac.new(key.secret.encode(), text.encode(), sha256).hexdigest()
        good = hmac.compare_digest(wanted.encode(), params.signature.encode())
        fresh = (
            abs(self._clock.now_ms - params.timestamp) <= SIGNATURE_WINDOW_MS * self._rate
            or abs(wall_ms - params.timestamp) <= SIGNATURE_WINDOW_MS
        )
        used = (key.client_id, params.nonce)
        if not (good and fresh) or used in self._nonces:
            return False
        if params.nonce:
            self._nonces[used] = params.timestamp
            if len(self._nonces) > MAX_NONCES:
                del self._nonces[next(iter(self._nonces))]
        return True

    def _take_refresh(self, session: Session, token: str, wall_ms: int) -> Grant | None:
        known = self._tokens.get(token)
        if known is None or not known.refreshes or known.expires_ms <= wall_ms:
            return None
        if known.session not in {None, session.number}:
            return None
        del self._tokens[token]
        if known.session is not None:
            self.forget(session)
        return known.grant

    def _lasts(self, named: tuple[str, str] | None) -> bool:
        """Return whether a login's session, if it has a name, has not had to make room."""
        return named is None or named[1] in self._sessions[named[0]]

    def _open(self, client_id: str, name: str) -> None:
        """Open or renew a named session of a key, and end its oldest one if it has too many."""
        names = self._sessions.setdefault(client_id, {})
        names.pop(name, None)
        names[name] = None
        if len(names) > MAX_SESSIONS:
            ended = client_id, next(iter(names))
            del names[ended[1]]
            self._tokens = {
                token: item
                for token, item in self._tokens.items()
                if (item.grant.client_id, item.grant.session) != ended
            }

    def _give_tokens(
        self, session: Session, params: Auth, grant: Grant, wall_ms: int
    ) -> tuple[Wire, tuple[str, str] | None]:
        """Return new tokens, and of which key's named session they are, if of one."""
        words = params.scope.split()
        names = [word for word in words if word.startswith("session:")]
        if names or grant.session:
            names = names or [grant.session]
            grant = msgspec.structs.replace(grant, session=names[0])
            self._open(grant.client_id, grant.session)
        ttl_s = _ttl(words, grant.lasts_s)
        grant = msgspec.structs.replace(grant, lasts_s=ttl_s)
        owner = None if names or session.proof is not None else session.number
        access, refresh = self._new_token(), self._new_token()
        asker, lasts_ms = session.number, ttl_s * 1000
        self._tokens[access] = Token(asker, owner, wall_ms + lasts_ms, False, grant)
        self._tokens[refresh] = Token(asker, owner, wall_ms + 10 * lasts_ms, True, grant)
        while len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        result: Wire = {
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "bearer",
            "expires_in": ttl_s,
            "scope": worded(grant.levels, names or ["connection"]),
            "sid": f"paper-{session.number}",
            "enabled_features": [],
        }
        if params.state is not None:
            result["state"] = params.state
        return result, (grant.client_id, grant.session) if names else None


def _ttl(words: list[str], most_s: int) -> int:
    """Return how long a token lives for whom it should expire soon (``expires:60``)."""
    asked = [word.removeprefix("expires:") for word in words if word.startswith("expires:")]
    return min([most_s, *(int(text) for text in asked if re.fullmatch("[1-9][0-9]{0,8}", text))])
