"""``audit``: does the account hold what the daemon believes? For a person, or for a timer.

Reads only. Exits 0 when both agree, 1 when they differ, 3 when one of them could not be asked: a
check that was not made has shown nothing.
"""

from contextlib import closing

import click
import msgspec
import trio
from msgspec import Struct

from tradebaas import embedded
from tradebaas.access import audit_secret
from tradebaas.audit.account import CouldNotLook, Reader
from tradebaas.audit.belief import Belief, of_api, of_store
from tradebaas.audit.compare import Difference, differences, lasting
from tradebaas.commands.common import json_option, print_json, print_table, with_config
from tradebaas.commands.inspect import read_state
from tradebaas.commands.remote import Reply, Unreachable, get, lock_holder
from tradebaas.config import HOSTS, Config
from tradebaas.errors import ConfigError
from tradebaas.runtime.ports import SystemClock
from tradebaas.store.audited import Audited, read_audited, write_audited
from tradebaas.store.place import Place

DIFFERENT = 1


class Report(Struct, frozen=True):
    """What ``audit --json`` prints; ``belief`` says whose words the account was compared with."""

    same: bool
    belief: str
    differences: tuple[Difference, ...]


@click.command()
@with_config
@click.option(
    "--pause",
    type=click.FloatRange(min=1.0, max=3600.0),
    default=5.0,
    show_default=True,
    help="Seconds until a second look at what differs.",
)
@json_option
@click.pass_context
def audit(ctx: click.Context, config: Config, pause: float, as_json: bool) -> None:
    """Compare positions, orders and stops at the exchange with what the daemon believes.

    Reads only, with the key of [audit] and TRADEBAAS_AUDIT_SECRET. A difference counts when a
    second look shows it again. Exits 0: the same, 1: different, 3: could not look.
    """
    place = Place(config.data_dir)
    try:
        report = _report(config, pause)
    except CouldNotLook:
        if read_audited(place) is None:
            _keep(place, ())
        raise
    _keep(place, tuple(map(_words, report.differences)))
    if as_json:
        print_json(report)
    elif report.same:
        click.echo(f"the account holds what {report.belief} says")
    else:
        click.echo(f"the account does not hold what {report.belief} says:")
        rows = [(found.what, found.exchange, found.daemon) for found in report.differences]
        print_table(("what", "the exchange says", "the daemon says"), rows)
    ctx.exit(0 if report.same else DIFFERENT)


def _keep(place: Place, rows: tuple[str, ...]) -> None:
    """For the metrics of the daemon and the notice of a failed audit; both do without."""
    try:
        write_audited(place, Audited(SystemClock().wall_ms(), rows))
    except OSError as error:
        click.echo(f"what the audit found is not kept in {place.root}: {error}", err=True)


def _words(found: Difference) -> str:
    return f"{found.what}: the exchange says {found.exchange}, the daemon says {found.daemon}"


def _report(config: Config, pause: float) -> Report:
    key = config.audit.client_id or config.exchange.client_id
    with closing(Reader(_url(config), key, audit_secret(config))) as reader:
        account = reader.log_in()
        belief, whose = _belief(config)
        _must_be_the_same(account, belief)
        found = differences(reader.look(), belief)
        if found:
            trio.run(trio.sleep, pause)
            belief, whose = _belief(config)
            found = lasting(found, differences(reader.look(), belief))
    return Report(same=not found, belief=whose, differences=found)


def _url(config: Config) -> str:
    url = config.exchange.url or HOSTS.get(config.exchange.environment, "")
    if config.embedded_exchange:
        url = embedded.url_of(config)
        if not url:
            raise CouldNotLook(f"no embedded exchange runs on {config.data}: start the daemon")
    return url


def _belief(config: Config) -> tuple[Belief, str]:
    """What the daemon believes, and in whose words: its own, or those of its store."""
    try:
        position, orders = get(config, "/api/position"), get(config, "/api/orders")
    except Unreachable as error:
        if lock_holder(config.data_dir):
            raise CouldNotLook(str(error)) from error
        return _stored(config)
    for reply in (position, orders):
        _must_have_answered(reply)
    belief = of_api(position.body, orders.body)
    return belief, f"the daemon, at event {belief.seq},"


def _must_have_answered(reply: Reply) -> None:
    if not reply.ok:
        raise CouldNotLook(f"the daemon cannot say yet: {reply.error}; try again")


def _stored(config: Config) -> tuple[Belief, str]:
    belief = of_store(msgspec.json.encode(read_state(config.data_dir)))
    return belief, f"the store of the daemon, which is down, at event {belief.seq},"


def _must_be_the_same(account: str, belief: Belief) -> None:
    """An empty account of somebody else's would agree with a flat daemon."""
    believed = belief.account.partition(" of ")[0]
    if account and believed and account != believed:
        raise ConfigError(
            f"the auditor's key leads to the account {account}, the daemon trades {believed}: make "
            "a key on that account and name it in audit.client_id"
        )
