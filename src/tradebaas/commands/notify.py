"""``tradebaas notify``: sends one notice, from here and at once; a unit that failed calls it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from tradebaas.access import NOTICE_CREDENTIAL, NOTICE_VARIABLE, notice_addresses
from tradebaas.commands.common import NotDone, print_table
from tradebaas.notices import repeats
from tradebaas.notices.failures import failure
from tradebaas.notices.model import Notice, Outcome, Parcel, Post, body_of, title_of
from tradebaas.redact import Redactor, secrets_of
from tradebaas.service.places import DATA

MEMORY = "STATE_DIRECTORY"
"""Where systemd says that the unit of this command may remember what it told."""
TEST = Notice(
    kind="test",
    title="a test",
    happened="Somebody ran `tradebaas notify --test`.",
    did="Nothing.",
    todo="Nothing: notices reach you.",
)


@click.command()
@click.option("--test", is_flag=True, help="Send a test to every address.")
@click.option("--unit", metavar="NAME", help="Tell that this unit of systemd has failed.")
@click.option("--post", is_flag=True, hidden=True)  # for the daemon: a Post in, an Outcome out
def notify(test: bool, unit: str | None, post: bool) -> None:
    """Send a notice through apprise, to the addresses that the daemon uses.

    They come from systemd (LoadCredential=notice-urls:FILE) or from TRADEBAAS_NOTICE_URLS, one
    URL on each line: https://appriseit.com/services has how each service is written.
    """
    if post:
        _deliver_post()
    elif test:
        _send(TEST)
    elif unit is not None:
        _tell_of(unit, os.environ)
    else:
        raise click.UsageError("say what: --test, or --unit NAME")


def _deliver_post() -> None:
    from tradebaas.notices.delivery import deliver

    post = msgspec.json.decode(sys.stdin.buffer.read(), type=Post)
    sent, reason = 0, ""
    for parcel in post.parcels:
        reason = deliver(notice_addresses()[post.address], parcel)
        if reason:
            break
        sent += 1
    click.echo(msgspec.json.encode(Outcome(sent, reason)))


def _tell_of(unit: str, environ: Mapping[str, str]) -> None:
    """Say that a unit has failed, as far as systemd tells (systemd.exec(5))."""
    if not notice_addresses():
        click.echo(f"{unit} has failed; nobody is told: {_how()}")
        return
    result = environ.get("MONITOR_SERVICE_RESULT", "failed")
    notice = failure(unit, result, environ.get("MONITOR_EXIT_STATUS", ""), DATA)
    folder = environ.get(MEMORY)
    if folder is None:
        _send(notice)
    else:
        _send_if_due(unit, notice, Path(folder) / f"{Path(unit).name}.json")


def _send_if_due(unit: str, notice: Notice, memory: Path) -> None:
    """Send it unless that was done lately; what was not delivered is not remembered as told."""
    from tradebaas.runtime.ports import SystemClock

    before, now_ms = repeats.load(memory), SystemClock().wall_ms()
    due = repeats.is_due(unit, notice, before, now_ms)
    if due:
        _send(repeats.with_held(notice, before))
    else:
        click.echo(f"{unit} has failed as before; it was told within the hour and is counted")
    repeats.save(memory, repeats.after(before, notice, now_ms, sent=due))


def _send(notice: Notice) -> None:
    """Send it to every address and show what became of it.

    Raises:
        NotDone: there is no address, or one did not take it.
    """
    from tradebaas.notices.delivery import deliver
    from tradebaas.runtime.ports import SystemClock

    addresses = notice_addresses()
    if not addresses:
        raise NotDone(f"there is nobody to notify: {_how()}")
    secrets = Redactor(word for address in addresses for word in secrets_of(address))
    body = body_of(notice, SystemClock().wall_ms(), os.uname().nodename)
    parcel = Parcel(title_of(notice), body, notice.urgent)
    rows, failed = [], 0
    for number, address in enumerate(addresses):
        reason = secrets.clean(deliver(address, parcel))
        failed += bool(reason)
        rows.append((f"{number + 1} ({address.partition(':')[0]})", reason or "sent"))
    print_table(("address", "result"), rows)
    if failed:
        raise NotDone(f"{failed} of {len(addresses)} addresses did not take the notice")


def _how() -> str:
    return (
        f"put apprise URLs, one a line, into {NOTICE_VARIABLE} or, under systemd, into "
        f"/etc/tradebaas/notice-urls (LoadCredential={NOTICE_CREDENTIAL}:FILE)"
    )
