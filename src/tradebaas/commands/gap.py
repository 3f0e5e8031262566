"""``backup gap``: what the exchange did between a restored backup and the start that followed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tradebaas.commands.common import json_option, print_json, print_table, with_config
from tradebaas.commands.describe import describe
from tradebaas.commands.summary import Rows
from tradebaas.config import Config
from tradebaas.core.events import Filled, OrderUpdated, TradeClosed
from tradebaas.names import command

if TYPE_CHECKING:
    from tradebaas.store.gap import Gap

SHOWN_MS = 7 * 86_400_000
"""For how long after a restore ``status`` speaks of it."""


@click.command()
@with_config
@json_option
def gap(config: Config, as_json: bool) -> None:
    """List what the last restore did not have: what the exchange did after the backup was made.

    Fills, orders and trades from the end of the restored backup to the first start after it, as
    that start learned them from the exchange. The daemon may be running.
    """
    found = read_gap(config)
    if as_json:
        print_json({"restored": found})
        return
    if found is None:
        click.echo(f"the store in {config.data} was never restored from a backup")
        return
    made, restored = _time(found.from_ms), _time(found.restored_ms)
    click.echo(f"restored {found.backup} at {restored}: its last event is {found.seq}, of {made}")
    click.echo(f"not in it: {summary(found)}")
    if rows := _rows(found):
        print_table(("when (UTC)", "what"), rows)


def read_gap(config: Config) -> "Gap | None":
    """The gap of the newest restore.

    Raises:
        Fatal: The store cannot be read.
    """
    from tradebaas.store import gap
    from tradebaas.store.place import Place

    return gap.read_gap(Place(config.data_dir))


def summary(found: "Gap") -> str:
    """How much there is, in a few words."""
    if not found.finished and not (found.fills or found.orders or found.others):
        return "not known before a start has read the account"
    counted = (
        (len(found.fills), "fill"), (len(found.orders), "order"), (len(found.trades), "trade"),
        (len(found.others), "other finding"),
    )  # fmt: skip
    words = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counted)
    return words if found.finished else f"{words}, so far: the start is still reading the account"


def status_rows(config: Config, found: "Gap | None", now_ms: int) -> Rows:
    """What ``status`` says of it: one row, for some days after the restore; wall ms."""
    if found is None or now_ms - found.restored_ms > SHOWN_MS:
        return []
    how = f"from {found.backup} at {_time(found.restored_ms)}; not in it: {summary(found)}"
    return [("restored", f"{how}: `{command('backup', 'gap', '--data', config.data_dir)}`")]


def _rows(found: "Gap") -> list[tuple[str, str]]:
    """In the order of the exchange's time; what has none comes last."""
    timed = [(fill.at_ms, describe(Filled(fill=fill)) + f" [{fill.label}]") for fill in found.fills]
    timed += [(order.updated_ms, describe(OrderUpdated(order=order))) for order in found.orders]
    timed += [(trade.closed_ms, describe(TradeClosed(trade=trade))) for trade in found.trades]
    rows = [(_time(at_ms), text) for at_ms, text in sorted(timed, key=lambda row: row[0])]
    return rows + [("", describe(event)) for event in found.others]


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
