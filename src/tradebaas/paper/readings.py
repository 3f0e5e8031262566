"""What nobody knows of Deribit, and both ways in which it may be.

Each question is a field; its first value is how the embedded exchange takes it unless it is told
otherwise. A client that is right holds under every value of each, alone or together. Only words, so
that the command line can list them without the exchange.
"""

import difflib
from collections.abc import Mapping
from typing import Literal, get_args, get_type_hints

import msgspec

from tradebaas.errors import ConfigError


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """One way to read the protocol (dossier sections 9.1, 19 and 21)."""

    post_only: Literal["off", "on"] = "off"
    cod: Literal["all", "resting"] = "all"
    labels: Literal["recent", "live"] = "recent"
    wrong_side: Literal["fire", "refuse"] = "fire"
    band: Literal["refuse", "clamp"] = "refuse"
    linear_size: Literal["coins", "dollars"] = "coins"
    reduce_only: Literal["clip", "refuse"] = "clip"
    margin: Literal["known", "twice"] = "known"
    detailed: Literal["reports", "orders"] = "reports"
    trades_by_order: Literal["list", "page"] = "list"
    close: Literal["bare", "coded"] = "bare"
    oco_ref: Literal["birth", "live"] = "birth"
    maintenance: Literal["keeps", "cancels"] = "keeps"
    part_legs: Literal["stay", "go"] = "stay"
    take_leg: Literal["harmless", "harmful"] = "harmless"
    child_label: Literal["same", "none"] = "same"
    cancelled: Literal["cancelled", "untriggered"] = "cancelled"
    first: Literal["shape", "login"] = "shape"


QUESTIONS = {
    "post_only": "what a limit order is that does not say",
    "cod": "which orders cancel-on-disconnect takes: resting ones, or those that wait as well",
    "labels": "what an order is found by its label for: half an hour longer, or while it lives",
    "wrong_side": "a trigger price that the market has passed: fires at once, or is refused",
    "band": "a limit beyond the band: refused, or moved to its edge",
    "linear_size": "the unit of a linear position's size",
    "reduce_only": "one for more than there is: made smaller, or refused",
    "margin": "the figures as they were known, or twice as much",
    "detailed": "what a detailed cancel answers",
    "trades_by_order": "what get_user_trades_by_order answers",
    "close": "how a connection ends that has called too often: without a word, or with a code",
    "oco_ref": "since when the legs of a bracket bear it: birth, or when they go live",
    "maintenance": "what it does to orders",
    "part_legs": "the live legs of an entry that is cancelled after a part of it",
    "take_leg": "a reduce-only take beside a stop that fires: harmless, or both are lost",
    "child_label": "the label of an order that a stop or take has fired as",
    "cancelled": "the state that the answer to a cancel shows of a trigger order",
    "first": "what is looked at first: the shape of the parameters, or the login",
}
CHOICES: dict[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Readings).items()
}


def read_readings(texts: tuple[str, ...]) -> Readings:
    """Return what texts like ``wrong_side=refuse,band=clamp`` ask for.

    Raises:
        ConfigError: naming what is wrong and what there is.
    """
    chosen: dict[str, str] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, _, value = part.partition("=")
        chosen[name] = value
    return changed(Readings(), chosen)


def changed(readings: Readings, chosen: Mapping[str, str]) -> Readings:
    """Return readings with others instead.

    Raises:
        ConfigError: naming what is wrong and what there is.
    """
    for name, value in chosen.items():
        if name not in CHOICES:
            near = difflib.get_close_matches(name, CHOICES, n=1, cutoff=0.4)
            guess = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(CHOICES)
            raise ConfigError(f"there is no reading {name!r}; {guess}there are: {known}")
        if value not in CHOICES[name]:
            known = " or ".join(f"{name}={choice}" for choice in CHOICES[name])
            raise ConfigError(f"reading {name}: {value!r} is none; write {known}")
    return msgspec.structs.replace(readings, **chosen)
