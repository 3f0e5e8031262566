"""A clock that drifts and is set, and what judges make of the time that was leapt over."""

import pytest

from chaos.world.skew import Leap, Skew


class Truth:
    """True time, by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def at(true_s: float) -> tuple[Truth, Skew]:
    truth = Truth()
    skew = Skew(truth)
    truth.now_s = true_s
    return truth, skew


def test_it_begins_right() -> None:
    _, skew = at(7.0)
    assert skew.now_s() == 7.0


@pytest.mark.parametrize("ppm, shown", [(10_000, 110.1), (-10_000, 109.9), (0, 110.0)])
def test_it_drifts_from_where_it_is(ppm: int, shown: float) -> None:
    truth, skew = at(100.0)
    skew.drift(ppm)
    assert skew.now_s() == 100.0
    truth.now_s = 110.0
    assert skew.now_s() == pytest.approx(shown)


def test_a_drift_that_ends_leaves_what_it_made() -> None:
    truth, skew = at(0.0)
    skew.drift(10_000)
    truth.now_s = 100.0
    skew.drift(0)
    truth.now_s = 200.0
    assert skew.now_s() == pytest.approx(201.0)


def test_set_forward_it_shows_more_at_once() -> None:
    truth, skew = at(10.0)
    skew.step(2.5)
    assert skew.now_s() == 12.5
    truth.now_s = 11.0
    assert skew.now_s() == 13.5


def test_set_back_it_stands_and_is_behind_from_then_on() -> None:
    truth, skew = at(10.0)
    skew.step(-0.4)
    shown = []
    for true_s in (10.0, 10.3, 10.4, 11.0):
        truth.now_s = true_s
        shown.append(skew.now_s())
    assert shown == pytest.approx([10.0, 10.0, 10.0, 10.6])


def test_two_steps_back_add_up_and_a_step_forward_undoes_them() -> None:
    truth, skew = at(10.0)
    skew.step(-0.4)
    skew.step(-0.4)
    truth.now_s = 10.7
    assert skew.now_s() == pytest.approx(10.0)
    skew.step(0.8)
    assert skew.now_s() == pytest.approx(10.7)


@pytest.mark.parametrize(
    "start, end, within",
    [(0, 90, 0), (0, 100, 0), (0, 150, 50), (120, 150, 30), (0, 900, 100), (200, 900, 0)],
)
def test_of_a_leap_counts_what_lies_in_the_stretch(start: int, end: int, within: int) -> None:
    assert Leap(100, 200).within(start, end) == within
