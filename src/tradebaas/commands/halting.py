"""``halt`` and ``resume``: the operator's stop, which must work whatever state the daemon is in.

A running daemon is asked, and answers once the halt is durable. When none answers, the halt is
left in ``data/HALT``, which every life reads before it does anything; while one is recovering,
both are done until it has answered. ``resume`` asks the daemon; without one it can only take back
a halt that no life has stored yet.
"""

import click

from tradebaas.commands.common import NotDone, json_option, print_json, store_errors, with_config
from tradebaas.commands.inspect import read_state
from tradebaas.commands.operate import print_events
from tradebaas.commands.remote import UNAVAILABLE, Unreachable, command, lock_holder, post
from tradebaas.config import Config

ATTEMPTS = 40
PAUSE_SECONDS = 0.5


@click.command()
@click.argument("reason", required=False, default="")
@with_config
@json_option
def halt(config: Config, reason: str, as_json: bool) -> None:
    """Close the position and open no other until `resume`; survives restarts.

    When no daemon runs, the next one starts halted. REASON is for whoever reads the log.
    """
    try:
        reply = post(config, "/api/halt", {"reason": reason})
    except Unreachable as down:
        _halt_by_file(config, reason, str(down), as_json)
        return
    if reply.status == UNAVAILABLE:
        _write(config, reason)
        reply = _insist(config, reason)
    if not reply.ok:
        raise NotDone(reply.error)
    print_events(reply, as_json)
