"""How a call can end badly, and what Deribit's error codes mean for what to do next.

The exceptions tell apart what the order desk must tell apart: refused (``CallFailed``), perhaps
executed (``Unanswered``, ``LinkLost``), never written (``NotSent``). The tables are protocol
dossier section 14. For order entry the safe reading is the default: only a code listed as a
refusal proves that no order exists; every other one, known or not, leaves the outcome unknown.
"""

from enum import StrEnum
from typing import final


class CallFailed(Exception):
    """The exchange answered with an error. ``data`` is its JSON text, "" when there is none."""

    def __init__(self, method: str, code: int, message: str, data: str = "") -> None:
        super().__init__(f"{method}: {code} {message}{f' {data}' if data else ''}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


MEANS = {
    10028: "too many calls: the exchange ends the session",
    11051: "the exchange is in maintenance",
}
"""What a code says to a person whose connection ends with it."""


class Unanswered(Exception):
    """The call was written, and no usable answer came in time."""


@final
class Garbled(Unanswered):
    """An answer came and cannot be understood; ``raw`` is what came."""

    def __init__(self, method: str, raw: str, reason: str) -> None:
        super().__init__(f"the answer to {method} is unreadable: {reason}: {raw[:200]}")
        self.raw = raw


class LinkLost(Exception):
    """The connection is gone, perhaps after the call was written."""


@final
class NotSent(LinkLost):
    """The call was certainly never written: its guard forbade it, or the link was gone before."""


@final
class LoginRefused(LinkLost):
    """The exchange is there and does not let us in; trying again changes nothing by itself."""


class Kind(StrEnum):
    """What a code asks for."""

    REFUSED = "refused"  # this call is refused; another one may work
    TRANSIENT = "transient"  # later the same call may work
    REAUTH = "reauth"  # log in again first
    RECONCILE = "reconcile"  # the order is not what we believe: read it
    PROGRAMMER = "programmer"  # the call itself is wrong
    STOP = "stop"  # the account or its key is not allowed to
    SESSION_ENDED = "session ended"  # the exchange closes the connection


_KINDS: dict[Kind, frozenset[int]] = {
    Kind.TRANSIENT: frozenset(
        {10040, 10041, 10047, 10050, 10066, 11051, 11094, 13028, 13503, 13888}
    ),
    Kind.REAUTH: frozenset({10000, 13009}),
    Kind.RECONCILE: frozenset({10004, 10010, 11008, 11044}),
    Kind.PROGRAMMER: frozenset({-32700, -32602, -32601, -32600, -32000, 11050})
    | frozenset(range(10020, 10028))
    | frozenset({10043, 10044}),
    Kind.STOP: frozenset({10009, 10019, 10039, 11098, 13004, 13021, 13403}),
    Kind.SESSION_ENDED: frozenset({10028}),
}


def kind_of(code: int) -> Kind:
    """What ``code`` asks for; an unknown one is a plain refusal of the call."""
    return next((kind for kind, codes in _KINDS.items() if code in codes), Kind.REFUSED)


def codes_of(kind: Kind) -> frozenset[int]:
    """The codes that ask for ``kind``."""
    return _KINDS[kind]


CANCEL_READ_BACK = (Kind.RECONCILE, Kind.TRANSIENT)
"""A cancel that is answered so says nothing about the order: it is read back."""


STALE_TERMS = frozenset({-32602, 10002, 10026, 10043, 10044})
"""Refusals that come when ticks, steps or minimums are not those that we know any more."""


def is_of_time_in_force(code: int, message: str) -> bool:
    """Whether a refusal says that a linked order may not be immediate-or-cancel (ADR 0011)."""
    return code == 11047 or (code == -32602 and "time_in_force" in message)


NO_ORDER: dict[str, frozenset[int]] = {
    "the request was not understood": frozenset(
        {-32700, -32602, -32601, -32600, -32000, 11029, 11043, 11047, 11049, 11050}
    ),
    "the caller may not trade": frozenset(
        {10000, 11042, 11098, 13004, 13009, 13012, 13021, 13025, 13031, 13403, 13668}
    ),
    "the exchange was too late to start it (valid_until)": frozenset({13888}),
    "price, amount or kind is not allowed": frozenset(
        {10002, 10005, 10006, 10007, 10008, 10011, 10032, 10033}
        | {*range(10020, 10028), 10030, 10031, 10034, 10035, 10036, 10043, 10044}
        | {11022, 11036, 11037, 11038, 11039, 11041, 11046, 11048, 11054, 11055}
    ),
    "the book is closed": frozenset({10012, 10019, 13019}),
    "a limit of the account is reached": frozenset(
        {10009, 10013, 10014, 10015, 10016, 10017, 10018, 10037, 10038, 10039, 10072}
        | {11013, 11035, 13901}
    ),
    "rejected before it reached the book, for the reason in the message": frozenset({11030}),
}
"""Answers to buy and sell that prove that no order was created, by why."""

MAYBE_ORDER: dict[int, str] = {
    10001: "a general error; it names no refusal",
    10003: "self-trade: better price levels may have been filled before it was met",
    10028: "the exchange ends the session; what was queued may still run",
    10040: "'retry' does not say whether the first try was executed",
    10041: "settlement in progress: the request may wait in the queue",
    10047: "queue full: no source says whether the request was dropped or is delayed",
    10050: "the portfolio was locked too long; the request may have been queued",
    10066: "too many at once: no source says that this one was dropped",
    11031: "'other error' names no refusal",
    11051: "maintenance: orders taken before it began survive it",
    11094: "internal error: the order may have been executed before it",
    13008: "'request failed' names no refusal",
    13028: "temporarily unavailable: seen from in front of the matching engine",
    13503: "unavailable: seen from in front of the matching engine",
    13666: "cancelled by the account's own cancel_all, perhaps after a part was filled",
}
"""Codes that leave the outcome of an order call open, with the reason."""


def proves_no_order(code: int) -> bool:
    """Whether an answer of ``code`` to buy or sell proves that no order was created."""
    return any(code in codes for codes in NO_ORDER.values())


def doubt(code: int) -> str:
    """Why ``code`` does not prove that there is no order."""
    return MAYBE_ORDER.get(code, "a code that is not known to mean a refusal")
