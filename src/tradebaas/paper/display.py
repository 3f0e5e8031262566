"""What clients are shown of the market and the account, asked for or subscribed to.

It changes nothing. Prices are told after each move, orders and trades at the end of each event,
and only to those whom they interest: what nobody hears is not even put into words.
"""

from tradebaas.paper.accounts import position_wire, summary_wire
from tradebaas.paper.desk import Desk, Trade
from tradebaas.paper.instruments import INSTRUMENTS, Wire
from tradebaas.paper.matching import Matching
from tradebaas.paper.orders import Order, order_wire
from tradebaas.paper.outbox import Outbox
from tradebaas.paper.sessions import Session, topics_of
from tradebaas.paper.tape import RESOLUTIONS, Tape
from tradebaas.paper.terms import Terms
from tradebaas.paper.views import index_wire, ticker_wire


class Display:
    """The views of one exchange, and who is told of them."""

    def __init__(self, desk: Desk, tape: Tape, matching: Matching, terms: Terms, outbox: Outbox):
        self._desk = desk
        self._tape = tape
        self._matching = matching
        self._terms = terms
        self._outbox = outbox

    # -- views --------------------------------------------------------------------------------

    def ticker(self, name: str) -> Wire:
        """Return the ticker of an instrument."""
        item, depth, now_ms = INSTRUMENTS[name], self._matching.depth.get(name), self._desk.now_ms
        return ticker_wire(item, self._tape, depth, now_ms, self._terms.state(now_ms))

    def position(self, name: str) -> Wire:
        """Return the position in an instrument."""
        held = self._desk.account.positions[name]
        return position_wire(held, self._tape.price, self._terms.margin)

    def summary(self, currency: str) -> Wire:
        """Return the account summary of a currency."""
        return summary_wire(self._desk.account, currency, self._tape.price, self._terms.margin)

    # -- what people hear ---------------------------------------------------------------------

    def tell_price(self) -> None:
        """Send the tickers and the running candles."""
        heard = self._outbox.heard()
        for name, item in INSTRUMENTS.items() if heard else ():
            if f"ticker.{name}" in heard:
                self._outbox.tell(f"ticker.{name}", self.ticker(name))
            for minutes in RESOLUTIONS:
                if f"chart.{name}.{minutes}" in heard:
                    self._outbox.tell(f"chart.{name}.{minutes}", self._tape.frame(minutes))
            if f"index.{item.price_index}" in heard:
                index = index_wire(item, self._tape, self._desk.now_ms)
                self._outbox.tell(f"index.{item.price_index}", index)

    def tell_changes(self, name: str, orders: list[Order], trades: list[Trade]) -> None:
        """Send what one event changed in an instrument."""
        wires = [order_wire(order) for order in orders]
        if f"changes.{name}" in self._outbox.heard():
            changes: Wire = {
                "instrument_name": name,
                "orders": wires,
                "trades": trades,
                "positions": [self.position(name)] if trades else [],
            }
            self._outbox.tell(f"changes.{name}", changes)
        for wire in wires:
            self._outbox.tell(f"orders.{name}", wire)
        if trades:
            self._outbox.tell(f"trades.{name}", trades)

    def tell_balance(self, currency: str) -> None:
        """Send the summary of a currency."""
        topic = f"portfolio.{currency}"
        if topic in self._outbox.heard():
            self._outbox.tell(topic, self.summary(currency))

    def tell_maintenance(self, on: bool) -> None:
        """Say whether there is, or will be, maintenance."""
        self._outbox.tell("platform_state", {"maintenance": on})

    def subscribe(self, session: Session, channels: list[str], private: bool) -> list[str]:
        """Subscribe to the known channels; public ones say at once where the market stands."""
        accepted: list[str] = []
        for channel in channels:
            topics = topics_of(channel)
            if not topics or (channel.startswith("user.") and not private):
                continue
            accepted.append(channel)
            if channel not in session.channels:
                session.channels[channel] = topics
                self._tell_snapshot(session, channel, topics[0])
        return accepted

    def _tell_snapshot(self, session: Session, channel: str, topic: str) -> None:
        match topic.split("."):
            case ["ticker", name]:
                self._outbox.tell_channel(session, channel, topic, self.ticker(name))
            case ["chart", _, minutes]:
                frame = self._tape.frame(int(minutes))
                self._outbox.tell_channel(session, channel, topic, frame)
            case _:
                return
