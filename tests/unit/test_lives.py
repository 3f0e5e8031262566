"""The pulse that the watchdog hears: who is alive, recovers in time, or waits for space."""

from dataclasses import replace

import pytest

from tradebaas.board import StoreStatus, Vitals
from tradebaas.config import Config
from tradebaas.lives import PULSE_LIMIT_S, RECOVERY_LIMIT_S, Lives
from tradebaas.runtime.ports import always, system_ports
from tradebaas.runtime.supervisor import DeathReport

BORN = 1_000.0


class SetClock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now = BORN

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return 0


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def lives(clock: SetClock) -> Lives:
    ports = replace(system_ports(), clock=clock)
    return Lives(Config(), ports, always(""), "secret", lambda _: None)


def heard(lives: Lives, at: float) -> None:
    lives.board.vitals.set(Vitals(at=at))


def test_a_recovery_has_its_own_deadline(lives: Lives, clock: SetClock) -> None:
    clock.now = BORN + RECOVERY_LIMIT_S - 1
    assert lives.pulse()
    clock.now = BORN + RECOVERY_LIMIT_S
    assert not lives.pulse()


def test_a_life_that_was_heard_of_has_recovered(lives: Lives, clock: SetClock) -> None:
    """From then on only what is heard counts, however young it is."""
    heard(lives, BORN + 1)
    clock.now = BORN + 1 + PULSE_LIMIT_S - 0.1
    assert lives.pulse()
    clock.now = BORN + 1 + PULSE_LIMIT_S
    assert not lives.pulse()


def test_after_a_death_the_next_life_is_awaited(lives: Lives, clock: SetClock) -> None:
    heard(lives, BORN + 100)
    clock.now = BORN + 101
    lives._note_death(DeathReport(1, (), Exception(), 1.0, 1, 8.0))
    clock.now = BORN + 101 + RECOVERY_LIMIT_S - 1
    assert lives.pulse()
    clock.now += 1
    assert not lives.pulse()


def test_who_waits_for_space_is_alive_as_long_as_it_says_so(lives: Lives, clock: SetClock) -> None:
    clock.now = BORN + 3_600
    assert not lives.pulse()
    lives.board.store.set(StoreStatus(fault="no space", at=clock.now - 1))
    assert lives.waits_for_space()
    assert lives.pulse()
    clock.now += PULSE_LIMIT_S
    assert not lives.waits_for_space()
    assert not lives.pulse()
    lives.board.store.set(StoreStatus(at=clock.now))
    assert not lives.pulse()
