"""Options that say which exchange a command is for, whatever the configuration names.

``loopback`` is an exchange on this machine: the embedded one of the data directory, or the one that
``--url`` names. The key is the configuration's, unless ``--client-id`` names another; its secret
comes from where the daemon takes it.
"""

import functools

import click
import msgspec
from msgspec import Struct

from tradebaas import embedded
from tradebaas.commands.common import Command
from tradebaas.config import EMBEDDED, HOSTS, Config, is_safe
from tradebaas.errors import ConfigError, Unusable
from tradebaas.names import command

LOOPBACK = "loopback"
ENVIRONMENTS = (*sorted(HOSTS, reverse=True), LOOPBACK)


class Venue(Struct, frozen=True, kw_only=True):
    """What the options say; "" and None leave it to the configuration."""

    environment: str | None
    url: str
    client_id: str
    instrument: str


def with_venue(wrapped: Command) -> Command:
    """Add the options, and pass what they say as ``venue``."""

    @click.option(
        "--environment",
        type=click.Choice(ENVIRONMENTS),
        help="The exchange.  [default: that of the configuration]",
    )
    @click.option("--url", default="", help="Its address, if it is another one.")
    @click.option("--client-id", default="", help="Id of the API key.")
    @click.option("--instrument", default="", help="The contract.")
    @functools.wraps(wrapped)
    def decorated(
        *args: object, environment: str | None, url: str, client_id: str, instrument: str,
        **more: object,
    ) -> None:  # fmt: skip
        venue = Venue(environment=environment, url=url, client_id=client_id, instrument=instrument)
        wrapped(*args, venue=venue, **more)

    return decorated


def aimed(config: Config, venue: Venue) -> Config:
    """The configuration with what the options say.

    Raises:
        ConfigError: there is no key for it, or its address is not safe.
    """
    exchange = config.exchange
    key = venue.client_id
    if venue.environment is not None:
        known = EMBEDDED if venue.environment == LOOPBACK else venue.environment
        if known != exchange.environment:  # an address and a key of another one are not its own
            key = key or ("paper" if known == EMBEDDED else "")
            exchange = msgspec.structs.replace(exchange, environment=known, url="", client_id=key)
    exchange = msgspec.structs.replace(
        exchange, url=venue.url or exchange.url, client_id=key or exchange.client_id
    )
    if exchange.environment != EMBEDDED and exchange.client_id in ("", "paper"):
        raise ConfigError(
            f"no API key for {exchange.environment}: make one there, and name its id with "
            "--client-id or in exchange.client_id"
        )
    if not is_safe(exchange.url):
        raise ConfigError(
            f"{exchange.url} must be a wss:// address: ws:// is for this machine and private "
            "networks only"
        )
    strategy = config.strategy
    if venue.instrument:
        strategy = msgspec.structs.replace(strategy, instrument=venue.instrument)
    return msgspec.structs.replace(config, exchange=exchange, strategy=strategy)


def address(config: Config) -> str:
    """Where to connect to.

    Raises:
        Unusable: the embedded exchange does not run.
    """
    if not config.embedded_exchange:
        return config.exchange.url or HOSTS[config.exchange.environment]
    url = embedded.url_of(config)
    if not url:
        raise Unusable(
            f"no exchange runs on {config.data}: start `{command('run')}`, or start "
            f"`{command('exchange')}` and name its address with --url"
        )
    return url
