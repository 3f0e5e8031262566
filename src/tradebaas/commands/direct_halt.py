"""What ``halt`` does at the exchange when no daemon can: under the lock, and only reducing.

Begins with what the store says, as far as it can be read; what it cannot say is read from the
exchange, where labels show what is ours. Without an exchange to ask, or a key, it says so: the halt
file still keeps the next daemon from trading.
"""

from collections.abc import Callable

import trio
from msgspec import Struct

from tradebaas import embedded
from tradebaas.access import client_secret
from tradebaas.commands.inspect import read_state
from tradebaas.config import Config
from tradebaas.core.state import State
from tradebaas.direct.claim import claimed
from tradebaas.direct.flatten import Left, Say, flatten
from tradebaas.direct.life import Setting
from tradebaas.direct.silence import Advice
from tradebaas.errors import Fatal, StoreBusy
from tradebaas.runtime.ports import system_ports
from tradebaas.store.place import Place

LIMIT_S = 60.0


class Done(Struct, frozen=True):
    """What came of it: ``problem`` is "" when nothing of ours is left at the exchange."""

    problem: str
    steps: list[tuple[str, str]]
    foreign: tuple[str, ...] = ()


def halt_directly(config: Config, reason: str, barred: str, say: Say) -> Done:
    """Cancel entries, close, see that it is flat, cancel the legs.

    ``barred`` says what keeps the next daemon from opening anything, or that nothing does.

    Raises:
        StoreBusy: a daemon has started meanwhile, and heeds the halt file.
    """
    steps: list[tuple[str, str]] = []

    def note(step: str, detail: str) -> None:
        steps.append((step, detail))
        say(step, detail)

    state = _known(config, note)
    elsewhere = _elsewhere(config, state)
    if elsewhere:
        return Done(elsewhere, steps)
    if config.embedded_exchange and not (embedded.directory(config) / "exchange.db").exists():
        note("exchange", "the embedded one has never run here: nothing can be open on it")
        return Done("", steps)
    try:
        secret = client_secret(config)
        with claimed(Place(config.data_dir), system_ports().clock.wall_ms()):
            left = trio.run(_act, config, secret, state, reason, barred, note)
    except StoreBusy:
        raise
    except Fatal as fatal:
        return Done(str(fatal), steps)
    return Done(left.problem, steps, left.foreign)


def _elsewhere(config: Config, state: State) -> str:
    """Why this configuration is not that of the store; "" as far as can be told."""
    exchange = config.exchange
    _, of, where = state.account.partition(" of ")
    if not of or where == (exchange.url or exchange.environment):
        return ""
    return (
        f"the store trades {state.account}, and the configuration leads to "
        f"{exchange.url or exchange.environment}: name the daemon's own with --config"
    )


def _known(config: Config, note: Callable[[str, str], None]) -> State:
    """What the store says; without it the exchange is asked what bears our labels."""
    if not Place(config.data_dir).db.exists():
        note("store", "there is none: what bears our labels is ours")
        return State()
    try:
        state = read_state(config.data_dir)
    except (Fatal, OSError) as error:
        note("store", f"cannot be read ({error}): what bears our labels is ours")
        return State()
    note("store", f"read, {state.seq} events, {state.phase}")
    return state


def _advice(config: Config, barred: str) -> Advice:
    """What a person should know and can do while the exchange is not heard."""
    if config.embedded_exchange:
        found = embedded.find(config)
        which = f" (process {found.pid})" if found else ""
        deed = f"see why the embedded exchange{which} does not answer; its log is exchange.log"
    else:
        deed = (
            "look at this machine's network and the exchange's status page; what cannot wait, "
            "close on the exchange's own page"
        )
    return (("entries", barred), ("to do", f"{deed}. This goes on by itself when it is back"))


async def _act(
    config: Config, secret: str, state: State, reason: str, barred: str, note: Say
) -> Left:
    ports = system_ports()
    async with ports.open_blocking("exchange") as worker:
        started = config.embedded_exchange and await worker.run(embedded.find, config) is None
        if started:
            note("exchange", "the embedded one does not run: starting it with what was open on it")
            await embedded.ensure(config, worker)
    try:
        setting = Setting(
            config=config, ports=ports, locate=embedded.locate(config, ports), secret=secret,
            state=state, cause="halt without a daemon", tell=lambda _: None,
        )  # fmt: skip
        return await flatten(setting, "operator", reason, LIMIT_S, note, _advice(config, barred))
    finally:
        if started:
            embedded.stop(config)
