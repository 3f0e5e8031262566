"""Where a trial may be held, and a plain look at the account: once before it and once after."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tradebaas.board import USUAL
from tradebaas.config import HOSTS, Config
from tradebaas.core.model import Instrument, Order
from tradebaas.deribit import reads
from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.errors import CallFailed, LinkLost, Unanswered
from tradebaas.deribit.link import Link, open_link
from tradebaas.deribit.transcript import IN
from tradebaas.errors import Fatal, Unusable
from tradebaas.runtime.ports import Ports, Tap


class TrialFailed(Fatal):
    """The session did not do what it is for; the message says which step, and what is left."""

    exit_code = 1


@final
@dataclass(frozen=True, slots=True)
class Trial:
    """What to do it with. ``say`` hears of each step, ``tap`` of every frame."""

    config: Config
    ports: Ports
    url: str
    secret: str
    say: Callable[[str, str], None]
    tap: Tap


def refuse_real_money(environment: str, url: str) -> None:
    """Only the test network and exchanges nearby; a gateway may lead anywhere.

    Raises:
        Unusable: it is neither.
    """
    host = urlsplit(url).hostname or ""
    test = urlsplit(HOSTS["testnet"]).hostname
    if environment == "mainnet" or not (host == test or _is_near(host)):
        raise Unusable(
            f"a trial is not for {host or environment}: it opens a position, and real money is not "
            "for trying. Use --environment testnet, or an exchange on this machine"
        )


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


@final
class _Answered(Struct, frozen=True):
    testnet: bool | None = None


@final
class Ear:
    """Passes on what is said, and notes when the exchange says that it is the real one."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._real = False

    def __call__(self, way: str, text: str) -> None:
        self._tap(way, text)
        if way == IN and '"testnet"' in text:
            try:
                said = msgspec.json.decode(text, type=_Answered).testnet
            except msgspec.MsgspecError:
                return
            self._real = self._real or said is False

    def refuse_real_money(self) -> None:
        if self._real:
            raise Unusable("the exchange answers that it is not the test network: nothing was sent")


# ---------------------------------------------------------------------------------- a plain look


@final
class Found(Struct, frozen=True, kw_only=True):
    """What a look at the account and the contract finds."""

    instrument: Instrument
    equity: Decimal
    bid: Decimal
    ask: Decimal
    held: dict[str, Decimal]
    orders: tuple[Order, ...]


async def look(trial: Trial) -> Found:
    exchange = trial.config.exchange
    key = Credentials(exchange.client_id, trial.secret)
    endpoint = Endpoint(trial.url, key, exchange.grant, exchange.scope)
    try:
        async with open_link(endpoint, trial.ports, Credits(), inbox=USUAL.inbox) as link:
            return await _found(link, trial.config.strategy.instrument)
    except (CallFailed, LinkLost, Unanswered) as error:
        raise TrialFailed(f"the account cannot be read: {error}") from error


async def _found(link: Link, name: str) -> Found:
    item = await reads.instrument(link, name)
    ticker = await reads.ticker(link, name)
    account = await reads.account(link, item.currency)
    held = {p.instrument: p.size for p in (await reads.positions(link)).found}
    orders = await reads.open_orders(link)
    return Found(
        instrument=item, equity=account.equity, bid=ticker.bid, ask=ticker.ask, held=held,
        orders=orders,
    )  # fmt: skip


def refuse_used_account(found: Found) -> None:
    if found.held or found.orders:
        raise Unusable(
            f"the account has {listed(found)}: a trial needs one on which nothing is open, so "
            "that whatever it finds is its own. Close that, or use another account"
        )


def listed(found: Found) -> str:
    held = [f"a position of {size} in {name}" for name, size in found.held.items()]
    orders = [f"order {o.order_id} ({o.direction} {o.amount} {o.instrument})" for o in found.orders]
    return ", ".join([*held, *orders])
