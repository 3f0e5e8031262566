"""``trial``: one session of the smallest size at a test exchange, written down for replay."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click
import msgspec

from tradebaas.access import client_secret
from tradebaas.commands.common import NotDone, json_option, print_json, print_table, with_config
from tradebaas.commands.venue import Venue, address, aimed, with_venue
from tradebaas.config import Config
from tradebaas.core.model import Trade

Say = Callable[[str, str], None]


@click.command()
@with_config
@with_venue
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    default="trial.jsonl",
    show_default=True,
    help="Write the transcript there; nothing secret is in it.",
)
@json_option
def trial(config: Config, venue: Venue, record: Path, as_json: bool) -> None:
    """Enter with the smallest amount, see the stop confirmed, close, and be flat again.

    For the test network and exchanges on this machine; refuses any other, and an account on which
    anything is open. Exits 0 when every step was seen.
    """
    from tradebaas.direct.look import refuse_real_money

    config = aimed(config, venue)
    target = address(config)
    refuse_real_money(config.exchange.environment, target)
    secret = client_secret(config)
    steps: list[tuple[str, str]] = []

    def say(step: str, detail: str) -> None:
        steps.append((step, detail))
        if not as_json:
            click.echo(f"{step:12} {detail}")

    trade = _played(config, target, secret, record, say)
    if as_json:
        print_json({"steps": dict(steps), "trade": trade, "transcript": str(record)})
        return
    rows = [(name, str(value)) for name, value in msgspec.structs.asdict(trade).items()]
    print_table(("", ""), rows)
    click.echo(f"the transcript is in {record}")


def _played(config: Config, url: str, secret: str, record: Path, say: Say) -> Trade:
    import trio

    from tradebaas.deribit.transcript import Recorder
    from tradebaas.direct.look import Trial
    from tradebaas.direct.trial import run
    from tradebaas.runtime.ports import system_ports

    ports = system_ports()
    with _opened(record) as file:
        recorder = Recorder(file.write, ports.clock.monotonic, (secret,))
        recorder.begin("trial", {"instrument": config.strategy.instrument, "url": url})
        return trio.run(run, Trial(config, ports, url, secret, say, recorder))


def _opened(record: Path) -> TextIO:
    try:
        return record.open("w", encoding="utf-8")
    except OSError as error:
        raise NotDone(
            f"cannot write {record} ({error.strerror}): name another file with --record"
        ) from error
