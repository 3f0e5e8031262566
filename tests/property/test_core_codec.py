"""Everything that is stored or spoken survives JSON unchanged, Decimals to the last digit.

The values are made from the type annotations themselves, so a new field or event is covered as
soon as it exists.
"""

import types
import typing
from decimal import Decimal
from enum import Enum

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tradebaas.core.apply import _STEPS
from tradebaas.core.events import Event
from tradebaas.core.facts import Fact
from tradebaas.core.messages import Answer, Request
from tradebaas.core.state import State

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=12) | st.decimals(
    allow_nan=False, allow_infinity=False
)
LEAVES: dict[object, st.SearchStrategy[object]] = {
    int: st.integers(-(2**53), 2**53),
    str: st.text(max_size=12),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: DECIMALS,
    type(None): st.none(),
}


def strategy(kind: object) -> st.SearchStrategy[object]:
    """Values of an annotation: leaves, enums, structs, unions, tuples and dicts."""
    if kind in LEAVES:
        return LEAVES[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([strategy(arg) for arg in args])
    if origin is dict:
        return st.dictionaries(strategy(args[0]), strategy(args[1]), max_size=3)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(strategy(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy(arg) for arg in args))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    assert isinstance(kind, type)
    assert issubclass(kind, msgspec.Struct), kind
    hints = typing.get_type_hints(kind)
    fields = {f.name: strategy(hints[f.name]) for f in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def survives(value: object, kind: object) -> None:
    body = msgspec.json.encode(value)
    again = msgspec.json.decode(body, type=kind)
    assert again == value
    assert msgspec.json.encode(again) == body, "one value has one encoding"


ONE_EACH = settings(max_examples=12)


@ONE_EACH
@given(st.data())
def test_every_event_survives(data: st.DataObject) -> None:
    for kind in typing.get_args(Event):
        survives(data.draw(strategy(kind)), Event)


@ONE_EACH
@given(st.data())
def test_every_fact_survives(data: st.DataObject) -> None:
    for kind in typing.get_args(Fact):
        survives(data.draw(strategy(kind)), Fact)


@ONE_EACH
@given(st.data())
def test_every_request_and_answer_survives(data: st.DataObject) -> None:
    for kind in (*typing.get_args(Request), *typing.get_args(Answer)):
        survives(data.draw(strategy(kind)), kind)


@settings(max_examples=30)
@given(strategy(State))
def test_the_state_survives_as_a_snapshot(state: object) -> None:
    survives(state, State)


def test_the_table_of_the_fold_has_every_event_and_nothing_else() -> None:
    assert set(_STEPS) == set(typing.get_args(Event))


def test_every_event_is_told_apart_by_its_kind() -> None:
    kinds = [kind.__struct_config__.tag for kind in typing.get_args(Event)]
    assert kinds == [kind.__name__ for kind in typing.get_args(Event)]
