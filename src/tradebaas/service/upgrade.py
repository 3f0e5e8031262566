"""Starts daemons on a release, and goes back to the one before when one does not become ready."""

from pathlib import Path

from msgspec import Struct

from tradebaas.service import daemons, release, stores
from tradebaas.service.answers import Answer, Outcome, started
from tradebaas.service.daemons import Daemon, Watch
from tradebaas.service.system import StepFailed, property_of

MEND = (
    "It opens nothing and closes nothing, and goes on trying. Mend the key at the exchange, or "
    "give another one: `sh deploy/install.sh --secret-file FILE`, its client_id in --config FILE"
)


class Way(Struct, frozen=True):
    """From which release to which, and what there is to go back with.

    ``backups`` are the names of backups by unit, ``settings`` what changed files said before.
    """

    before: Path | None
    new: Path
    backups: dict[str, str]
    settings: dict[Path, str]


def start(wanted: list[Daemon], way: Way, watch: Watch) -> None:
    """Restart daemons on the new release, and wait for what the exchange answers each; go back when
    one does not become ready, or ends at once.

    Raises:
        StepFailed: one did not, or the exchange refuses one; the message says what runs now.
    """
    refused = {}
    for number, daemon in enumerate(wanted, 1):
        answer = started(daemon, watch)
        if answer.outcome is Outcome.ENDED:
            raise StepFailed(_gone_back(wanted[:number], way, watch))
        watch.tell("daemon", f"{daemon.unit} runs {way.new.name}: {answer.says or 'ready'}")
        watch.tell("exchange", answer.outcome)
        if answer.outcome is Outcome.REFUSED:
            refused[daemon] = answer
    if refused:
        raise StepFailed(refusal(refused))


def refusal(refused: dict[Daemon, Answer]) -> str:
    """What it means that the exchange refuses daemons, and what to do."""
    told = [f"{one.unit} runs, but the exchange refuses it: {refused[one].says}" for one in refused]
    return "\n".join([*told, MEND])


def _gone_back(tried: list[Daemon], way: Way, watch: Watch) -> str:
    """Go back with all that were restarted; what became of it."""
    failed = tried[-1]
    words = daemons.last_words(failed)
    for daemon in tried:
        daemons.stop(daemon)
    if way.before is None or way.before == way.new:
        named = f"with {', '.join(map(str, way.settings))} as given " if way.settings else ""
        return f"{failed.unit} does not stay up {named}and is stopped. Its last words:\n{words}"
    release.switch(way.before)
    for place, text in way.settings.items():
        place.write_text(text, encoding="utf-8")
    ends = "; ".join(
        _again(each, way.before, way.backups.get(each.unit, ""), watch) for each in tried
    )
    return (
        f"{failed.unit} does not stay up on {way.new.name}, so {way.before.name} is back"
        f"{' with its settings' if way.settings else ''}: {ends}. The last words of the new one:\n"
        f"{words}"
    )


def _again(daemon: Daemon, before: Path, backup: str, watch: Watch) -> str:
    """Start a daemon on the release before; with the backup where the new one has left a store
    that the old one refuses."""
    if daemons.comes_up(daemon, watch):
        return f"{daemon.unit} runs again"
    refused = property_of(daemon.unit, "ExecMainStatus") == daemons.REFUSED
    daemons.stop(daemon)
    look = f"see `journalctl -u {daemon.unit}`"
    if not backup or not refused:
        return f"{daemon.unit} does not start either, {look}"
    left = f"{daemon.unit} refused the store that the new one left"
    try:
        stores.put_back(before, daemon, backup)
    except StepFailed as error:
        return (
            f"{left}, and the backup was not put back: {error}\nTo do it by hand: "
            f"`{stores.put_back_by_hand(before, daemon, backup)}`"
        )
    if not daemons.comes_up(daemon, watch):
        return f"{left}, so {backup} was put back, and it does not start with that: {look}"
    return (
        f"{left}, so {backup} was put back. It runs and is halted: look at `tradebaas backup gap`, "
        "then `tradebaas resume`"
    )
