"""What an installation refuses before anything is switched, and what it waits for afterwards."""

import sys
from pathlib import Path

import pytest

from tradebaas.board import LinkStatus
from tradebaas.commands.summary import headline
from tradebaas.core.state import State
from tradebaas.deribit.errors import CallFailed
from tradebaas.errors import Unusable
from tradebaas.service import answers, daemons, startable, system, upgrade
from tradebaas.service.answers import Outcome, first_answer
from tradebaas.service.daemons import Daemon, Watch
from tradebaas.service.startable import Settings, refuse_unstartable
from tradebaas.service.system import StepFailed
from tradebaas.words import NOT_YET, REFUSED_LOGIN

ARMED: dict[str, object] = {
    "strategy": "ma_cross", "parameters": {"fast": "3"}, "instrument": "BTC-PERPETUAL",
    "timeframe": "1m",
}  # fmt: skip


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with this environment, whose program is run as whoever runs the tests."""
    made = tmp_path / "1.2.3"
    made.mkdir()
    (made / "venv").symlink_to(sys.prefix)

    def run(*words: str | Path, environment: dict[str, str] | None = None, given: str = "") -> str:
        python = words.index(made / "venv" / "bin" / "python")
        return system.run(*words[python:], environment=environment, given=given)

    monkeypatch.setattr(startable, "run", run)
    return made


@pytest.mark.parametrize(
    ("settings", "changes", "words"),
    [
        ("[exchnge]", None, "exchnge"),
        ("[risk", None, r"my\.toml is not valid TOML"),
        ("[strategy]\nname = 'ma_cros'", None, r"my\.toml, line 2: .*ma_cros"),
        ("[strategy]\nparameters = {fast = 30, slow = 8}", None, r"my\.toml, line 2: .*fast"),
        ("", {"strategy": "gone"}, "trades with gone: .*Put a strategy of your own into"),
        ("", {"parameters": {"quick": "3"}}, "trades with ma_cross: .*quick"),
        ("", {"timeframe": "7m"}, "trades with ma_cross: .*7m"),
    ],
)
def test_what_would_end_the_start_is_refused_in_the_releases_own_words(
    release: Path, settings: str, changes: dict[str, object] | None, words: str
) -> None:
    armed = None if changes is None else ARMED | changes
    with pytest.raises(Unusable, match=rf"1\.2\.3 would not start {Daemon().unit}: .*{words}"):
        refuse_unstartable(release, Daemon(), Settings(settings, Path("/root/my.toml")), armed)


def test_what_would_start_is_not_refused(release: Path) -> None:
    settings = Settings("[strategy]\nparameters = {fast = 3, slow = 8}", Path("/root/my.toml"))
    for armed in (None, ARMED):
        refuse_unstartable(release, Daemon(), settings, armed)


# ---------------------------------------------------------------------------------- the answer


class Systemd:
    """Shows of the daemon what was prepared, one line at each look; the last one stays."""

    def __init__(self, *lines: tuple[str, str]) -> None:
        self.lines = list(lines)
        self.slept = 0

    def property_of(self, _unit: str, name: str) -> str:
        state, says = self.lines[0]
        return {"ActiveState": state, "StatusText": says}[name]

    def pause(self, _seconds: float) -> None:
        self.slept += 1
        self.lines = self.lines[1:] or self.lines


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    systemd = Systemd()
    for module in (answers, daemons):
        monkeypatch.setattr(module, "property_of", systemd.property_of)
    monkeypatch.setattr(answers, "comes_up", lambda *_: True)
    return systemd


def line(detail: str | None) -> str:
    """As the daemon shows it; None: it is connected."""
    return headline(State(), LinkStatus(up=detail is None, detail=detail or ""))


BEGINS = [("active", ""), ("active", line(NOT_YET))]
REFUSAL = f"wss://x {REFUSED_LOGIN}: {CallFailed('public/auth', 13004, 'invalid_credentials')}"


@pytest.mark.parametrize(
    ("then", "outcome", "looks"),
    [
        (("active", line(None)), Outcome.GRANTED, 2),
        (("active", line(REFUSAL)), Outcome.REFUSED, 2),
        (("failed", line(REFUSAL)), Outcome.ENDED, 2),
        (("active", line("no route to host")), Outcome.SILENT, answers.LOOKS),
    ],
)
def test_the_first_answer_is_awaited(
    shown: Systemd, then: tuple[str, str], outcome: Outcome, looks: int
) -> None:
    shown.lines = [*BEGINS, then]
    assert first_answer(Daemon(), Watch(shown.pause, lambda *_: None)).outcome is outcome
    assert shown.slept == looks


def test_a_refused_key_is_no_success_and_nothing_goes_back(shown: Systemd, tmp_path: Path) -> None:
    shown.lines = [*BEGINS, ("active", line(REFUSAL))]
    told: list[tuple[str, str]] = []
    way = upgrade.Way(None, tmp_path / "1.2.3", {}, {})
    watch = Watch(shown.pause, lambda what, done: told.append((what, done)))
    with pytest.raises(StepFailed, match=r"runs, but the exchange refuses it: .*invalid_credent"):
        upgrade.start([Daemon()], way, watch)
    assert ("exchange", "REFUSED") in told
