"""JSON-RPC: one text frame in, one answer out, around the method tables (protocol section 2).

Any text is answered: what is not JSON gets 11050, what is too big -32600, an unknown method
-32601. A call that changes orders is journalled with its labels and outcome, refused or not. What
a driver armed (``faults``) is applied here: before execution, instead of it, or to the answer.
"""

from typing import Any

import msgspec

from tradebaas.paper.admin import ADMIN_METHODS, READ_ONLY
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.faults import Faults
from tradebaas.paper.instruments import Wire
from tradebaas.paper.methods import METHODS, ORDER_METHODS, Call, Method
from tradebaas.paper.params import Refused, decode
from tradebaas.paper.sessions import Session

MAX_FRAME_BYTES = 32 * 1024

_encode = msgspec.json.Encoder(decimal_format="number").encode
_NO_PARAMS = msgspec.Raw(b"{}")


class Request(msgspec.Struct):
    """The envelope of a call; ``id`` is echoed as it came."""

    method: str
    id: int | str | msgspec.UnsetType = msgspec.UNSET
    params: msgspec.Raw = _NO_PARAMS


class Front:
    """Answers frames for one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.faults = Faults()

    def receive(self, number: int, text: str, now_us: int, wall_ms: int, clock: Wire) -> str:
        """Answer one frame of a session into the exchange's step; return the method's name."""
        exchange = self.exchange
        exchange.set_now(now_us // 1000)
        session = exchange.sessions[number]
        if len(text.encode()) > MAX_FRAME_BYTES:
            error = Refused(-32600, "request entity too large")
            self._refuse(session, error.wire(), now_us)
            return ""
        try:
            request = msgspec.json.decode(text, type=Request)
        except msgspec.ValidationError:
            error = Refused(-32600, "Invalid Request")
            self._refuse(session, error.wire(), now_us)
            return ""
        except msgspec.DecodeError:
            bad: Wire = {"code": 11050, "message": "bad_request", "data": "invalid json"}
            self._refuse(session, bad, now_us)
            return ""
        self._dispatch(Call(exchange, session, wall_ms, clock, self.faults), request, now_us)
        return request.method

    def _dispatch(self, call: Call, request: Request, now_us: int) -> None:
        session, method = call.session, request.method
        if method.startswith("admin/"):
            session.admin = True
        body = bytes(request.params)
        if self.faults.take("swallow", method, body):
            call.exchange.outbox.drop(session.number)
            return
        # The answer goes out before what the call set off; a hold covers both.
        place = call.exchange.outbox.mark()
        held: int | None = None
        if self.faults.take("hold", method, body):
            session.held = session.held or []
            held = len(session.held)
        outcome = self._outcome(call, method, body)
        if session.number not in call.exchange.sessions:
            return
        if self.faults.take("lose", method, body):
            call.exchange.outbox.drop(session.number)
            return
        frame = self._frame(request.id, outcome, now_us)
        if held is not None and session.held is not None:
            session.held.insert(held, frame)
        else:
            call.exchange.outbox.insert(place, session.number, frame)

    def _outcome(self, call: Call, method: str, body: bytes) -> Wire:
        try:
            forced = self.faults.take("reject", method, body)
            if forced is not None and forced.error is not None:
                raise forced.error
            outcome: Wire = {"result": self._run(call, method, body)}
        except Refused as refused:
            outcome = {"error": refused.wire()}
        if method in ORDER_METHODS:
            self._journal_request(call.session, method, body, outcome)
        elif method.startswith("admin/") and method not in READ_ONLY:
            sent: object = msgspec.json.decode(body)
            line: Wire = {"method": method, "params": sent, "outcome": _summary(outcome)}
            self.exchange.record("admin", line)
        return outcome

    def _run(self, call: Call, method: str, body: bytes) -> object:
        if method.startswith("admin/") and call.exchange.config.admin:
            table: dict[str, Method[Any]] = ADMIN_METHODS
        else:
            table = METHODS
        if method not in table:
            raise Refused(-32601, "Method not found")
        asked = decode(body, table[method].params)
        if method.startswith("private/"):
            call.exchange.gate.check(call.session, asked.access_token, call.wall_ms)
        return table[method].handler(call, asked)

    def _journal_request(self, session: Session, method: str, body: bytes, outcome: Wire) -> None:
        sent = msgspec.json.decode(body)
        given = sent if isinstance(sent, dict) else {}
        legs = given.get("otoco_config")
        legs = legs if isinstance(legs, list) else []
        labels = [leg.get("label", "") for leg in legs if isinstance(leg, dict)]
        given.pop("access_token", None)
        line: Wire = {
            "session": session.number,
            "method": method,
            "label": given.get("label", ""),
            "leg_labels": labels,
            "params": given,
            "outcome": _summary(outcome),
        }
        self.exchange.record("request", line)

    def _refuse(self, session: Session, error: Wire, now_us: int) -> None:
        """Answer a frame that has no readable id."""
        frame = self._frame(msgspec.UNSET, {"error": error}, now_us)
        self.exchange.outbox.send(session.number, frame)

    def _frame(self, id_: int | str | msgspec.UnsetType, outcome: Wire, now_us: int) -> bytes:
        out_us = max(now_us, self.exchange.now_ms * 1000)
        wire: Wire = {"jsonrpc": "2.0"}
        if id_ is not msgspec.UNSET:
            wire["id"] = id_
        wire |= outcome
        wire |= {"usIn": now_us, "usOut": out_us, "usDiff": out_us - now_us, "testnet": True}
        return _encode(wire)


def _summary(outcome: Wire) -> Wire:
    """Return what the journal keeps of an outcome: the error, or id and state of the order."""
    if "error" in outcome:
        return {"error": outcome["error"]}
    result = outcome["result"]
    order = result.get("order", result) if isinstance(result, dict) else None
    if not isinstance(order, dict):
        return {"result": result}
    names = ("order_id", "order_state", "amount", "filled_amount", "average_price")
    return {"order": {name: order[name] for name in names if name in order}}
