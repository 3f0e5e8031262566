"""Drives the embedded exchange without sockets: one client, candles given by hand."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tradebaas.paper.candles import Candle
from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.keys import AccountConfig, Key
from tradebaas.paper.market import Market, ReplayMarket
from tradebaas.paper.recorder import Step
from tradebaas.paper.rpc import Front

T0 = 1_640_995_200_000
BTC = "BTC-PERPETUAL"
LINEAR = "BTC_USDC-PERPETUAL"
ALICE: dict[str, Any] = {
    "accounts": (AccountConfig(name="alice", balance_btc=Decimal(2)),),
    "keys": (Key(client_id="alice", secret="secret", account="alice"),),
}
"""Settings with a second account."""
Bar = tuple[str, str, str, str]
FLAT: Bar = ("80000", "80000", "80000", "80000")


class RpcError(Exception):
    """An error answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


def replay(*bars: Bar) -> ReplayMarket:
    """Return a market of those (open, high, low, close) bars, one a minute from T0."""
    candles = [Candle(*(Decimal(price) for price in bar), cost=Decimal(6000)) for bar in bars]  # type: ignore[misc]
    return ReplayMarket(T0, tuple(candles), 0)


class Lab:
    """An exchange in lockstep (or paced by hand) with one client that is logged in."""

    def __init__(self, market: Market, *, lockstep: bool = True, **settings: Any) -> None:
        settings.setdefault("admin", True)
        config = ExchangeConfig(directory=Path("/nowhere"), lockstep=lockstep, **settings)
        self.tokens = 0
        self.exchange = Exchange(config, market, None, self._token)
        self.front = Front(self.exchange)
        self.session = self.exchange.connect().number
        self.exchange.take_step()
        self.steps: list[Step] = []
        self.notes: list[dict[str, Any]] = []
        self.wall_ms = T0
        self.guests: list[Guest] = []
        self.login("paper", "paper-secret")

    def login(self, client_id: str, secret: str, **more: Any) -> Any:
        """Log in with a key."""
        return self.call(
            "public/auth",
            grant_type="client_credentials",
            client_id=client_id,
            client_secret=secret,
            **more,
        )

    def _token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def raw(self, text: str, session: int | None = None) -> list[dict[str, Any]]:
        """Send text and return all frames that the client gets, answer included."""
        number = self.session if session is None else session
        now_us = self.exchange.now_ms * 1000
        self.front.receive(number, text, now_us, self.wall_ms, {"rate": 1})
        return self.drain(number)

    def drain(self, session: int | None = None) -> list[dict[str, Any]]:
        """End the step and return the frames of a session."""
        number = self.session if session is None else session
        step = self.exchange.take_step()
        self.steps.append(step)
        for guest in self.guests:
            if guest.session != number:
                frames = (decode(frame) for to, frame in step.frames if to == guest.session)
                guest.notes += [frame["params"] for frame in frames if "params" in frame]
        return [decode(frame) for to, frame in step.frames if to == number]

    def call(self, method: str, /, **params: Any) -> Any:
        """Call a method; return its result or raise RpcError."""
        text = msgspec.json.encode({"id": 7, "method": method, "params": params}).decode()
        answer: dict[str, Any] | None = None
        for frame in self.raw(text):
            if frame.get("id") == 7:
                answer = frame
            else:
                self.notes.append(frame["params"])
        assert answer is not None, f"{method} was not answered"
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def play(self, bars: int = 1) -> None:
        """Play that many whole bars."""
        for _ in range(bars):
            self.exchange.play_bar()
        self.notes += [frame["params"] for frame in self.drain()]

    def buy(self, amount: int | str, **params: Any) -> Any:
        """Buy at market unless told otherwise."""
        return self.enter("private/buy", amount, params)

    def sell(self, amount: int | str, **params: Any) -> Any:
        """Sell at market unless told otherwise."""
        return self.enter("private/sell", amount, params)

    def enter(self, method: str, amount: int | str, params: dict[str, Any]) -> Any:
        params.setdefault("instrument_name", BTC)
        params.setdefault("type", "limit" if "price" in params else "market")
        return self.call(method, amount=float(amount), **params)

    def bracket(self, amount: int, take: float, stop: float, **params: Any) -> Any:
        """Buy with a take profit and a stop loss."""
        side = {"direction": "sell", "amount": amount, "reduce_only": True}
        legs = [
            {**side, "type": "limit", "price": take, "label": "take"},
            {
                **side,
                "type": "stop_market",
                "trigger": "mark_price",
                "trigger_price": stop,
                "label": "stop",
            },
        ]
        return self.buy(
            amount,
            linked_order_type="one_triggers_one_cancels_other",
            otoco_config=legs,
            label="entry",
            **params,
        )

    def by_label(self, label: str) -> list[dict[str, Any]]:
        """Return the orders of a label, oldest first."""
        found: list[dict[str, Any]] = self.call(
            "private/get_order_state_by_label", currency="any", label=label
        )
        return found

    def states(self, label: str) -> list[tuple[str, str]]:
        """Return (type, state) of the orders of a label."""
        return [(order["order_type"], order["order_state"]) for order in self.by_label(label)]

    def size(self, name: str = BTC) -> Decimal:
        """Return the position."""
        return self.exchange.desk.account.positions[name].size

    def trades(self) -> list[dict[str, Any]]:
        """Return all trades, oldest first."""
        wires = msgspec.json.encode(self.exchange.desk.trades)
        found: list[dict[str, Any]] = msgspec.json.decode(wires)
        return found

    def journal(self, kind: str) -> list[dict[str, Any]]:
        """Return what was journalled of a kind."""
        lines = [line for step in self.steps for line in step.records if line.kind == kind]
        return [{"at_ms": line.at_ms, **decode(line.body)} for line in lines]


class Guest(Lab):
    """A second client of a lab's exchange, logged in with a key of its own."""

    def __init__(self, lab: Lab, client_id: str, secret: str = "secret") -> None:
        self.exchange, self.front, self.steps = lab.exchange, lab.front, lab.steps
        self.guests, self.wall_ms = lab.guests, lab.wall_ms
        self.session = self.exchange.connect().number
        self.notes = []
        self.name = client_id
        self.login(client_id, secret)
        self.guests.append(self)

    def size(self, name: str = BTC) -> Decimal:
        """Return the position of the guest's account."""
        return self.exchange.desks[self.name].account.positions[name].size


def decode(body: bytes) -> dict[str, Any]:
    """Return JSON with its numbers as Decimal where they are not whole."""
    value: dict[str, Any] = msgspec.json.Decoder(dict, float_hook=Decimal).decode(body)
    return value


def prices(trades: Sequence[dict[str, Any]]) -> list[Decimal]:
    """Return the prices of trades."""
    return [Decimal(trade["price"]) for trade in trades]
