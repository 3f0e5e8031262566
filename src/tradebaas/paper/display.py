"""What clients are shown of the market and the account, asked for or subscribed to.

It changes nothing. The market's channels are told by ``feeds`` after each move, orders and trades
at the end of each event, and only to those whom they interest: what nobody hears is not even put
into words.
"""

from decimal import Decimal

from tradebaas.paper.channels import topics_of
from tradebaas.paper.desk import Desk, Trade
from tradebaas.paper.feeds import Feeds
from tradebaas.paper.instruments import CURRENCIES, Wire
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import Order, order_wire
from tradebaas.paper.outbox import Outbox
from tradebaas.paper.sessions import Session
from tradebaas.paper.statements import Prices, position_wire, summary_wire
from tradebaas.paper.terms import Terms
from tradebaas.paper.views import interest, settlement_price

EQUITY_EVERY_MS = 1_000
"""How often news of an equity that the market has moved may come, in real time; what an event has
done to the balance is told at once."""


class Display:
    """The views of one exchange, and who is told of them."""

    def __init__(self, matching: Matching, terms: Terms, outbox: Outbox, rate: float):
        self._matching = matching
        self._tape = matching.tape
        self._terms = terms
        self._outbox = outbox
        self.feeds = Feeds(matching, terms, outbox)
        self._equity_every_ms = round(EQUITY_EVERY_MS * rate)
        self._equity: dict[str, tuple[int, Decimal]] = {}

    # -- views --------------------------------------------------------------------------------

    def position(self, desk: Desk, name: str) -> Wire:
        """Return an account's position in an instrument."""
        held, terms = desk.account.positions[name], self._terms
        tape = self._tape
        prices = Prices(tape.price, tape.mark, settlement_price(tape, terms))
        return position_wire(desk, held, prices, terms, interest(tape, terms))

    def summary(self, desk: Desk, currency: str) -> Wire:
        """Return the summary of a currency of an account."""
        terms = self._terms
        return summary_wire(desk, currency, self._tape.mark, terms.margin, terms.limits)

    # -- what people hear ---------------------------------------------------------------------

    def tell(self) -> None:
        """Tell everybody what the market has done: to itself, and to what each account is worth."""
        self.feeds.tell()
        heard = self._outbox.heard()
        for desk in self._matching.desks.values():
            for currency in CURRENCIES:
                if account_topic(f"portfolio.{currency}", desk) in heard:
                    self._tell_equity(desk, currency)

    def _tell_equity(self, desk: Desk, currency: str) -> None:
        """Send the summary of a currency if its equity has changed, once in a while."""
        now = self._tape.state.now_ms, desk.account.equity(currency, self._tape.mark)
        told = self._equity.setdefault(account_topic(f"portfolio.{currency}", desk), now)
        if now[1] != told[1] and now[0] - told[0] >= self._equity_every_ms:
            self.tell_balance(desk, currency)

    def tell_changes(self, desk: Desk, name: str, orders: list[Order], trades: list[Trade]) -> None:
        """Send what one event changed for an account in an instrument."""
        wires = [order_wire(order) for order in orders]
        topic = account_topic(f"changes.{name}", desk)
        if topic in self._outbox.heard():
            changes: Wire = {
                "instrument_name": name,
                "orders": wires,
                "trades": trades,
                "positions": [self.position(desk, name)] if trades else [],
            }
            self._outbox.tell(topic, changes)
        for wire in wires:
            self._outbox.tell(account_topic(f"orders.{name}", desk), wire)
        if trades:
            self._outbox.tell(account_topic(f"trades.{name}", desk), trades)

    def tell_balance(self, desk: Desk, currency: str) -> None:
        """Send the summary of a currency of an account."""
        topic = account_topic(f"portfolio.{currency}", desk)
        if topic in self._outbox.heard():
            equity = desk.account.equity(currency, self._tape.mark)
            self._equity[topic] = self._tape.state.now_ms, equity
            self._outbox.tell(topic, self.summary(desk, currency))

    def tell_login(self, desk: Desk, ip: str, log: str) -> None:
        """Note that somebody tried to log in to an account, and tell it."""
        self._outbox.tell(account_topic("access_log", desk), desk.add_login(ip, log))

    def tell_maintenance(self, on: bool) -> None:
        """Say whether there is, or will be, maintenance."""
        self._outbox.tell("platform_state", {"maintenance": on})

    def subscribe(self, session: Session, channels: list[str], desk: Desk | None) -> list[str]:
        """Subscribe to the known channels; public ones say at once where the market stands.

        Those of an account tell of that of ``desk``, and are unknown without it.
        """
        accepted: list[str] = []
        for channel in channels:
            topics = topics_of(channel)
            of_account = channel.startswith("user.")
            if not topics or (of_account and desk is None):
                continue
            if of_account and desk is not None:
                topics = tuple(account_topic(topic, desk) for topic in topics)
            accepted.append(channel)
            if session.channels.get(channel) != topics:
                first = self.feeds.first(topics[0])
                session.channels[channel] = topics
                if first is not None:
                    self._outbox.tell_channel(session, channel, topics[0], first)
        return accepted


def account_topic(topic: str, desk: Desk) -> str:
    """Return the topic as it is told to one account."""
    return f"{topic}@{desk.user_id}"
