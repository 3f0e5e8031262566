"""The part of systemd that the driver plays: who is ready, who is overdue, and what is silence."""

import os
import time
from collections.abc import Iterator

import pytest

from chaos.real.keeper import Keeper, Sign
from tradebaas.runtime.ports import send_datagram
from tradebaas.runtime.systemd import Notifier, watchdog_interval

SECONDS = 0.08


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper(SECONDS)
    yield made
    made.close()


def notifier(keeper: Keeper) -> Notifier:
    return Notifier(keeper.environment, send_datagram)


def await_signs(keeper: Keeper, count: int) -> None:
    until = time.monotonic() + 5
    while len(keeper._of(os.getpid())) < count and time.monotonic() < until:
        time.sleep(0.001)


def test_the_daemon_understands_what_it_is_told(keeper: Keeper) -> None:
    assert watchdog_interval(keeper.environment, os.getpid()) == SECONDS


def test_nobody_is_overdue_before_it_is_ready(keeper: Keeper) -> None:
    time.sleep(2 * SECONDS)
    assert not keeper.is_ready(os.getpid())
    assert not keeper.overdue(os.getpid())
    assert keeper.longest_silence(os.getpid()) == 0


def test_who_was_ready_and_says_nothing_more_is_overdue(keeper: Keeper) -> None:
    notifier(keeper).ready()
    await_signs(keeper, 1)
    assert keeper.is_ready(os.getpid())
    assert not keeper.overdue(os.getpid())
    time.sleep(SECONDS)
    assert keeper.overdue(os.getpid())
    notifier(keeper).watchdog()
    await_signs(keeper, 2)
    assert not keeper.overdue(os.getpid())


def test_what_another_process_says_counts_for_nobody_else(keeper: Keeper) -> None:
    notifier(keeper).ready()
    await_signs(keeper, 1)
    assert not keeper.is_ready(os.getpid() + 1)


def test_other_words_are_heard_and_no_sign_of_life(keeper: Keeper) -> None:
    notifier(keeper).extend_timeout(3.0)
    notifier(keeper).ready()
    await_signs(keeper, 1)
    assert len(keeper._of(os.getpid())) == 1
    assert keeper.heard(os.getpid(), "EXTEND_TIMEOUT_USEC=")
    assert not keeper.heard(os.getpid(), "STOPPING=1")


def test_silence_is_counted_without_the_stretches_of_harm(keeper: Keeper) -> None:
    ready = time.monotonic() - 10
    keeper._signs.append(Sign(ready, os.getpid(), frozenset({"READY=1"})))
    assert keeper.longest_silence(os.getpid()) == pytest.approx(10, abs=0.5)
    keeper.harmed(ready + 2, ready + 5)
    keeper.harmed(ready + 6, ready + 100)
    assert keeper.longest_silence(os.getpid()) == pytest.approx(3, abs=0.001)
