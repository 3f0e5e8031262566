"""``tradebaas notify``: sends one notice, from here and at once; a unit that failed calls it."""

import os
import sys
from collections.abc import Mapping

import click
import msgspec

from tradebaas.access import NOTICE_CREDENTIAL, NOTICE_VARIABLE, notice_addresses
from tradebaas.commands.common import NotDone, print_table
from tradebaas.notices.model import Notice, Outcome, Parcel, Post, body_of, title_of
from tradebaas.redact import Redactor, secrets_of

TEST = Notice(
    kind="test",
    title="a test",
    happened="Somebody ran `tradebaas notify --test`.",
    did="Nothing.",
    todo="Nothing: notices reach you.",
)
MEANINGS = {
    "2": "It was started in a wrong way (2): see its ExecStart.",
    "70": "Its crew died again and again (70): the journal has each traceback.",
    "75": "The store or its disk cannot be used (75): see docs/recovery.md before you start it.",
    "78": "The configuration is wrong, or something else that only a person can mend (78): the "
    "last line of the journal says what.",
}
"""What the exit codes of a failed unit mean."""
DOWN = (
    "It is down and is not started again. A position that is open keeps its stop at the exchange; "
    "nobody moves it or replaces it."
)
LEFT = {
    "tradebaas-audit": "The daemon trades on. The audit is run again by its timer.",
    "tradebaas-drill": "The daemon trades on. The drill is played again by its timer.",
    "tradebaas-verify": "The daemon trades on. The check is run again by its timer.",
}
"""How things stand after the failure of a unit that is not the daemon's."""


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
    status = environ.get("MONITOR_EXIT_STATUS", "")
    _send(failure(unit, result, status))


def failure(unit: str, result: str, status: str) -> Notice:
    """The notice of a unit that systemd has given up on."""
    ended = f", exit status {status}" if status else ""
    return Notice(
        kind="failed",
        title=f"{unit} has FAILED",
        happened=f"systemd has given up on {unit}: {result}{ended}. "
        + MEANINGS.get(status, "The journal has its last words."),
        did=LEFT.get(unit.partition(".")[0], DOWN),
        todo=f"Read `journalctl -u {unit} -n 50`, mend the cause, then `systemctl reset-failed "
        f"{unit}; systemctl start {unit}`.",
        urgent=True,
    )  # fmt: skip


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
