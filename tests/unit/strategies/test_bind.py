"""Parameters of a strategy: parsed by declared type and bounds, refused by name."""

from decimal import Decimal

import pytest
from msgspec import Struct

from tradebaas.core.model import Assignment, Candle, Position
from tradebaas.strategies.protocol import (
    TIMEFRAMES,
    Analysis,
    BadParameter,
    Bound,
    Parameter,
    Values,
    bind,
    nearest,
)


class Example(Struct, frozen=True):
    name: str = "example"
    summary: str = "Records what it was given"
    parameters: tuple[Parameter, ...] = (
        Parameter("length", int, 9, 2, 50, "candles"),
        Parameter("factor", Decimal, Decimal("1.50"), Decimal(0), Decimal("1E+20"), "multiple"),
    )

    def check(self, values: Values) -> str:
        return "factor is above length" if values["factor"] > values["length"] else ""

    def warm_up(self, values: Values) -> int:
        return int(values["length"]) + 1

    def evaluate(
        self, candles: tuple[Candle, ...], position: Position | None, values: Values
    ) -> Analysis:
        seen = {name: str(value) for name, value in values.items()}
        return Analysis(proposal=None, indicators=seen, reasons=(f"{len(candles)} {position}",))


def assign(timeframe: str = "1m", **parameters: str) -> Assignment:
    return Assignment(
        strategy="example", parameters=parameters, instrument="BTC-PERPETUAL", timeframe=timeframe
    )


def test_defaults_fill_what_is_absent_and_everything_is_spelled_out() -> None:
    bound = bind(Example(), assign(length="12"))
    assert isinstance(bound, Bound)
    assert bound.values == {"length": 12, "factor": Decimal("1.5")}
    assert bound.assignment == assign(length="12", factor="1.5")
    assert bound.warm_up == 13


@pytest.mark.parametrize("written", ["2", "2.0", "02.000", " 2 ", "+2", "0.2E1"])
def test_equal_values_become_one_assignment_however_written(written: str) -> None:
    bound = bind(Example(), assign(factor=written))
    assert isinstance(bound, Bound)
    assert bound.assignment.parameters["factor"] == "2"


def test_canonical_text_has_no_exponent() -> None:
    bound = bind(Example(), assign(length="50", factor="10"))
    assert isinstance(bound, Bound)
    assert bound.assignment.parameters == {"length": "50", "factor": "10"}


def test_a_bound_strategy_evaluates_with_its_values() -> None:
    bound = bind(Example(), assign(length="12"))
    assert isinstance(bound, Bound)
    analysis = bound.evaluate((), None)
    assert analysis.indicators == {"length": "12", "factor": "1.50"}
    assert analysis.reasons == ("0 None",)


@pytest.mark.parametrize("edge", ["2", "50"])
def test_bounds_belong_to_the_range(edge: str) -> None:
    assert isinstance(bind(Example(), assign(length=edge, factor="1")), Bound)


@pytest.mark.parametrize(
    "name, text",
    [
        ("length", "1"), ("length", "51"), ("length", "9.5"), ("length", ""), ("length", "nine"),
        ("length", "9" * 5000),
        ("factor", "-0.1"), ("factor", "NaN"), ("factor", "sNaN"), ("factor", "Infinity"),
        ("factor", "1E-13"), ("factor", "1E-999999"), ("factor", "1E+999999"), ("factor", "1E+19"),
        ("factor", "one"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_the_parameter_and_its_bounds(name: str, text: str) -> None:
    bad = bind(Example(), assign(**{name: text}))
    assert isinstance(bad, BadParameter)
    assert bad.name == name
    assert f"example: parameter '{name}' is {text!r}" in bad.reason
    bounds = {"length": "a whole number from 2 to 50 (candles)", "factor": "from 0 to 1E+20"}
    assert bounds[name] in bad.reason


def test_an_unknown_parameter_names_the_nearest_one() -> None:
    bad = bind(Example(), assign(lenght="9"))
    assert isinstance(bad, BadParameter)
    assert bad.name == "lenght"
    assert "example has no parameter 'lenght'; did you mean 'length'?" in bad.reason
    assert "known: factor, length" in bad.reason


def test_values_that_do_not_go_together_are_refused() -> None:
    bad = bind(Example(), assign(length="2", factor="3"))
    assert bad == BadParameter("parameters", "example: factor is above length")


def test_an_unknown_timeframe_names_the_nearest_one() -> None:
    bad = bind(Example(), assign(timeframe="15min"))
    assert isinstance(bad, BadParameter)
    assert bad.name == "timeframe"
    assert "unknown timeframe '15min'; did you mean '15m'?" in bad.reason


def test_each_timeframe_is_as_long_as_its_resolution() -> None:
    for timeframe in TIMEFRAMES.values():
        assert timeframe.ms == int(timeframe.resolution) * 60_000


def test_nothing_near_is_said_as_nothing() -> None:
    assert nearest("zzz", ["length"]) == ""
