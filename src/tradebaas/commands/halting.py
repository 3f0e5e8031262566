"""``halt`` and ``resume``: the operator's stop, which must work whatever state the daemon is in.

A running daemon is asked, and answers once the halt is durable. When none answers, the halt is
left in ``data/HALT``, which every life reads before it does anything, and every second after that;
whether a daemon that runs has stored it is seen in its log. When none runs, the command does at
the exchange what the daemon would (``direct_halt``). ``resume`` asks the daemon; without one it can
only take back a halt that no life has stored yet.
"""

import click

from tradebaas import names
from tradebaas.commands.common import (
    NotDone,
    json_option,
    print_json,
    reason_of,
    shown,
    with_config,
)
from tradebaas.commands.inspect import read_state
from tradebaas.commands.operate import print_events
from tradebaas.commands.remote import (
    UNAVAILABLE,
    Unreachable,
    command,
    lock_holder,
    post,
)
from tradebaas.config import Config

ACCEPTED = 202
ATTEMPTS = 20
PAUSE_SECONDS = 0.5


@click.command()
@click.argument("reason", required=False, default="")
@click.option("--file-only", is_flag=True, help="Without a daemon, do nothing at the exchange.")
@with_config
@json_option
def halt(config: Config, reason: str, file_only: bool, as_json: bool) -> None:
    """Close the position and open no other until `resume`; survives restarts.

    When no daemon runs, the next one starts halted, and what is open is closed from here: entries
    are cancelled, the position is closed, and once it is flat its stop and take profit go. REASON
    is for whoever reads the log.
    """
    reason = reason_of(reason)
    try:
        reply = post(config, "/api/halt", {"reason": reason})
    except Unreachable as down:
        _halt_by_file(config, reason, str(down), file_only, as_json)
        return
    if reply.status == UNAVAILABLE:
        _halt_by_file(config, reason, reply.error, file_only, as_json)
    elif not reply.ok:
        raise NotDone(reply.error)
    elif reply.status == ACCEPTED:
        _tell(reply.body, as_json)
    else:
        print_events(reply, as_json)


@click.command()
@with_config
@json_option
def resume(config: Config, as_json: bool) -> None:
    """Lift a halt, so that positions may be opened again."""
    try:
        reply = command(config, "/api/resume", {})
    except Unreachable as down:
        _resume_by_file(config, down, as_json)
        return
    print_events(reply, as_json)


def _halt_by_file(config: Config, reason: str, why: str, file_only: bool, as_json: bool) -> None:
    unwritten = _write(config, reason)
    if unwritten and (file_only or not config.data_dir.is_dir()):
        raise NotDone(unwritten)
    if unwritten:
        _wait_until_ended(config, unwritten)
    elif lock_holder(config.data_dir):
        _wait_until_stored(config, why, as_json)
        return
    if file_only:
        _tell({"halted": "at the next start", "detail": _at_the_next_start(config)}, as_json)
    else:
        _halt_directly(config, reason, why, unwritten, as_json)


def _at_the_next_start(config: Config) -> str:
    return (
        f"{config.data}/HALT is written: no daemon runs, and the next one starts halted, "
        f"closes what is open, and opens nothing until `{names.command('resume')}`"
    )


def _halt_directly(config: Config, reason: str, why: str, unwritten: str, as_json: bool) -> None:
    """Without a daemon, and perhaps without a file: act at the exchange."""
    from tradebaas.commands.direct_halt import halt_directly
    from tradebaas.errors import StoreBusy

    def say(step: str, detail: str) -> None:
        click.echo(shown(f"{step:12} {detail}"), err=as_json)

    barred = f"not forbidden: {unwritten}. Keep any daemon from starting"
    if not unwritten:
        say("halt file", _at_the_next_start(config))
        barred = f"stay forbidden: {config.data}/HALT lies there until `{names.command('resume')}`"
    try:
        done = halt_directly(config, reason or "no reason given", barred, say)
    except StoreBusy:  # one has started in this very moment
        _wait_until_stored(config, why, as_json)
        return
    for words in done.foreign:
        say("not ours", f"{words}: left alone")
    if as_json:
        print_json({"halted": "" if unwritten else "at the next start", "exchange": done})
    if done.problem:
        raise NotDone(
            f"nothing more was done at the exchange: {done.problem}. Run this again, or close it "
            "on the exchange's page; a stop that rests there stays until then"
        )
    if unwritten:
        raise NotDone(
            f"nothing of ours is open at the exchange, but {unwritten}. Without that file a daemon "
            "that starts is not halted: keep it from starting"
        )


def _wait_until_ended(config: Config, unwritten: str) -> None:
    """A daemon on a disk that takes nothing ends soon, and does itself what it was told before."""
    import trio

    for _ in range(ATTEMPTS):
        if not lock_holder(config.data_dir):
            return
        trio.run(trio.sleep, PAUSE_SECONDS)
    raise NotDone(
        f"{unwritten}. {lock_holder(config.data_dir)} runs on this directory and does not end "
        "either: end it, then run this again"
    )


def _wait_until_stored(config: Config, why: str, as_json: bool) -> None:
    if not _is_stored(config):
        raise NotDone(
            f"{why}. {config.data}/HALT is written, so its next life is halted, but the present "
            f"one has not stored that within {ATTEMPTS * PAUSE_SECONDS:g} s: end that process"
        )
    text = f"{config.data}/HALT is written, and the daemon has stored the halt"
    _tell({"halted": "now", "detail": text}, as_json)


def _is_stored(config: Config) -> bool:
    """Whether the daemon that runs stores a halt soon."""
    import trio

    from tradebaas.store.place import Place

    place = Place(config.data_dir)
    for _ in range(ATTEMPTS):
        trio.run(trio.sleep, PAUSE_SECONDS)
        if place.db.exists() and read_state(place.root).halted is not None:
            return True
    return False


def _tell(body: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(body)
    else:
        click.echo(shown(str(body["detail"])))


def _write(config: Config, reason: str) -> str:
    """Leave the file; why that cannot be done, "" when it is."""
    from tradebaas.store.halt import write_halt
    from tradebaas.store.place import Place

    try:
        write_halt(Place(config.data_dir), f"operator: {reason or 'no reason given'}")
    except OSError as error:
        return (
            f"cannot write {config.data}/HALT ({error.strerror}): run this as root or as the user "
            "that runs the daemon, and name its data directory with --data"
        )
    return ""


def _resume_by_file(config: Config, down: Unreachable, as_json: bool) -> None:
    """Take back a halt that no life has stored; anything else needs a daemon."""
    from tradebaas.store.halt import clear_halt, read_halt
    from tradebaas.store.place import Place

    if lock_holder(config.data_dir):
        raise down
    place = Place(config.data_dir)
    latch = read_state(place.root).halted if place.db.exists() else None
    if latch is not None:
        raise NotDone(
            f"the store is halted by {latch.by} ({latch.reason}), and only a running daemon can "
            f"lift that: start it, look at `{names.command('status')}`, then resume"
        )
    reason = read_halt(place)
    if not reason:
        raise NotDone(f"nothing is halted in {config.data}, and no daemon runs")
    clear_halt(place)
    text = f"{place.halt} is removed ({reason}): the next start is not halted"
    if as_json:
        print_json({"resumed": "at the next start", "detail": text})
    else:
        click.echo(shown(text))
