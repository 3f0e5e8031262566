"""``import``: begin a store with what the predecessor's ``strategy-state.json`` says.

The file is believed in nothing that the exchange can be asked: a position is taken over only if the
exchange shows the very same, and at the exchange's price. Every field's fate is told. A store that
already has a life is never touched.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

import click
import trio
from msgspec import Struct

from tradebaas.access import client_secret
from tradebaas.commands.common import (
    NotDone,
    json_option,
    print_json,
    print_table,
    store_errors,
    with_config,
)
from tradebaas.commands.legacy import Held, Legacy, agrees, arms, fates, read
from tradebaas.config import HOSTS, Config
from tradebaas.core.correct import told
from tradebaas.core.decide import Decision, decide
from tradebaas.core.draft import Draft
from tradebaas.core.events import Event, PositionAdopted
from tradebaas.core.facts import PositionFact
from tradebaas.core.messages import Arm, EndLife, Link, Request, StartLife
from tradebaas.core.model import Assignment, Direction
from tradebaas.core.risk import Limits
from tradebaas.core.state import FOLD_VERSION, State
from tradebaas.errors import Unusable
from tradebaas.names import command

if TYPE_CHECKING:
    from tradebaas.deribit.link import Link as Wire

LIMIT_S = 30.0


class Account(Struct, frozen=True):
    """What the exchange says: whose account it is, and the position on the file's instrument."""

    name: str
    position: PositionFact | None


@click.command("import")
@with_config
@click.argument("source", metavar="FILE", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@json_option
def import_(config: Config, source: BinaryIO, dry_run: bool, as_json: bool) -> None:
    """Begin a store with FILE, the strategy-state.json of the predecessor.

    It logs in at the exchange and reads the position there; it sends no order. Stop the predecessor
    first. Exits 78 when the file cannot be used or the store has a life already.
    """
    legacy, more = read(source.read(), source.name)
    _refuse_a_life(config)
    assignment = _assignment(config, legacy)
    account = trio.run(_ask, config, legacy.instrument)
    if account is None:
        raise Unusable(
            f"{source.name}: the instrument {legacy.instrument!r} is not known at {_url(config)}. "
            "Name the exchange that the predecessor traded on under [exchange], or correct the file"
        )
    fact = account.position
    held = Held(fact.size, fact.average_price) if fact is not None else None
    if not dry_run:
        _write(config, assignment, account, source.name, adopt=agrees(legacy, held))
    rows = fates(legacy, more, held, config.strategy.name, config.strategy.instrument)
    if as_json:
        print_json(
            {"file": source.name, "account": account.name, "done": not dry_run, "fields": rows}
        )
        return
    columns = ("field", "in the file", "fate", "because")
    print_table(columns, [(row.field, row.value, row.fate, row.because) for row in rows])
    if dry_run:
        click.echo("nothing was done: --dry-run")
    else:
        click.echo(f"a store for {account.name} is in {config.data}: `{command('run')}` goes on")


def _refuse_a_life(config: Config) -> None:
    """Raise ``Unusable`` where there is a store with events."""
    from tradebaas.store.place import Place
    from tradebaas.store.reader import open_reader

    place = Place(config.data_dir)
    if not place.disk.exists(place.db):
        return
    with store_errors(), open_reader(place) as reader:
        last = reader.last()
    if last.seq:
        raise Unusable(
            f"{place.db} has a life already, {last.seq} events long: nothing is imported over it. "
            "Name an empty directory with --data"
        )


def _assignment(config: Config, legacy: Legacy) -> Assignment | None:
    """What is armed; None where the file's strategy is not the configured one.

    Raises:
        Unusable: The configured one cannot be armed.
    """
    from tradebaas.binding import bind_assignment

    settings = config.strategy
    if not arms(legacy, settings.name, settings.instrument):
        return None
    wanted = Assignment(
        strategy=settings.name,
        parameters={name: str(value) for name, value in settings.parameters.items()},
        instrument=settings.instrument,
        timeframe=settings.timeframe,
    )
    bound = bind_assignment(config, wanted)
    if isinstance(bound, str):
        raise Unusable(f"[strategy] cannot be armed: {bound}")
    return bound


# --------------------------------------------------------------------------------- the exchange


async def _ask(config: Config, instrument: str) -> Account | None:
    """Read the account; None where the exchange does not know the instrument.

    Raises:
        NotDone: The exchange cannot be asked, so nothing can be believed.
    """
    from tradebaas.board import Capacities
    from tradebaas.deribit.auth import Credentials, Endpoint
    from tradebaas.deribit.credits import Credits
    from tradebaas.deribit.errors import CallFailed, LinkLost, Unanswered
    from tradebaas.deribit.link import open_link
    from tradebaas.runtime.ports import system_ports

    url, exchange = _url(config), config.exchange
    key = Credentials(exchange.client_id, client_secret(config))
    endpoint = Endpoint(url, key, exchange.grant, exchange.scope)
    ports, inbox = system_ports(), Capacities().inbox
    found: list[Account | None] = []
    try:
        with trio.fail_after(LIMIT_S):
            async with open_link(endpoint, ports, Credits(), inbox=inbox) as link:
                found.append(await _read(config, link, instrument))
    except* (LinkLost, Unanswered, CallFailed, trio.TooSlowError) as group:
        reason = str(group.exceptions[0]) or "no answer in time"
        raise NotDone(
            f"{url} cannot be asked ({reason}): nothing of the file is believed without the "
            f"exchange, and nothing was done. `{_check()}` says more"
        ) from group
    return found[0]


def _check() -> str:
    """The command that looks at the same exchange."""
    from tradebaas.commands.check import BROKER

    file = click.get_current_context().params["file"]
    return command("check", "--broker", BROKER, *(() if file is None else ("--config", file)))


def _url(config: Config) -> str:
    if not config.embedded_exchange:
        return config.exchange.url or HOSTS[config.exchange.environment]
    from tradebaas import embedded

    url = embedded.url_of(config)
    if not url:
        raise NotDone(
            "the embedded exchange does not run, and nothing is believed without an exchange: name "
            "the one that the predecessor traded on under [exchange]"
        )
    return url


async def _read(config: Config, link: "Wire", instrument: str) -> Account | None:
    from tradebaas.deribit import reads
    from tradebaas.deribit.errors import CallFailed, Kind, kind_of

    try:
        await reads.instrument(link, instrument)
    except CallFailed as refused:
        if kind_of(refused.code) in (Kind.PROGRAMMER, Kind.REFUSED):
            return None
        raise
    currency = "USDC" if "USDC" in instrument else instrument.partition("-")[0]
    said = await reads.identity(link, currency)
    at_ms = await reads.server_time(link)
    taken = await reads.positions(link)
    exchange = config.exchange
    name = f"{said.account} of {exchange.url or exchange.environment}"
    for wire in taken.found:
        if wire.instrument == instrument:
            fact = PositionFact(
                instrument=instrument,
                contract=link.contracts.kind(instrument),
                currency=link.contracts.currency(instrument),
                size=wire.size,
                average_price=wire.average_price,
                at_ms=at_ms,
                asked_ms=max(at_ms, taken.asked_ms),
            )
            return Account(name, fact)
    return Account(name, None)


# ------------------------------------------------------------------------------------ the store


def _write(
    config: Config, assignment: Assignment | None, account: Account, file: str, *, adopt: bool
) -> None:
    """The first life of a new store, which only imports."""
    from tradebaas.runtime.ports import SystemClock, SystemEntropy
    from tradebaas.store.codec import encode
    from tradebaas.store.folding import snapshot_of
    from tradebaas.store.halt import read_halt
    from tradebaas.store.log import Log
    from tradebaas.store.place import Place
    from tradebaas.store.records import NewRecord

    place, now_ms = Place(config.data_dir), SystemClock().wall_ms()
    start = StartLife(
        token=SystemEntropy().token(4), wall_ms=now_ms, cause="", poisoned=False,
        halt_file=read_halt(place),
    )  # fmt: skip
    how = f"import of {file}" if adopt else ""
    state, events = _life(start, assignment, account, how)
    records = []
    for event in events:
        kind, version, body = encode(event)
        records.append(NewRecord(at_ms=now_ms, life=1, kind=kind, version=version, body=body))
    with store_errors():
        log = Log.open(place, now_ms=now_ms)
        try:
            log.recover(FOLD_VERSION)
            if log.head.seq:
                raise Unusable(f"{place.db} has a life already: nothing was imported over it")
            log.append(records, snapshot_of(state))
            log.close()
        except BaseException:
            log.abandon()
            raise


def _life(
    start: StartLife, assignment: Assignment | None, account: Account, how: str
) -> tuple[State, list[Event]]:
    """All events of that life, and what they lead to; ``how`` is "" where no position is taken."""
    requests: list[Request] = [start, Link(connection=1, up=True, account=account.name)]
    requests += [] if assignment is None else [Arm(assignment=assignment)]
    ends: list[Request] = [
        Link(connection=1, up=False, reason="the import is done"),
        EndLife(wall_ms=start.wall_ms),
    ]
    state, events = _played(State(), requests)
    if how and account.position is not None:
        fact, draft = account.position, Draft(state)
        side = Direction.BUY if fact.size > 0 else Direction.SELL
        position = told(fact, side, True)
        draft.emit(PositionAdopted(position=position, at_ms=fact.at_ms, how=how))
        state, events = draft.state, [*events, *draft.events]
    state, last = _played(state, ends)
    return state, [*events, *last]


def _played(state: State, requests: Iterable[Request]) -> tuple[State, list[Event]]:
    events: list[Event] = []
    for request in requests:
        decision = decide(state, request, Limits())
        assert isinstance(decision, Decision), decision
        state = decision.state
        events += decision.events
    return state, events
