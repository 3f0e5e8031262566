"""JSON-RPC: one text frame in, one answer out, around the method tables (protocol section 2).

Any text is answered: what is not JSON gets 11050, what is too big -32600, an unknown method
-32601. A call that changes orders is journalled with its labels and outcome, refused or not. What
a driver armed (``faults``) is applied here: before execution, instead of it, or to the answer.
"""

import re
from bisect import insort
from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast

import msgspec

from tradebaas.paper.admin import ADMIN_METHODS, READ_ONLY
from tradebaas.paper.calls import Call, Method
from tradebaas.paper.credits import Credits
from tradebaas.paper.encoding import encode
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.faults import Faults
from tradebaas.paper.instruments import Wire
from tradebaas.paper.methods import METHODS, ORDER_METHODS, WEBSOCKET_ONLY
from tradebaas.paper.params import Refused, anything, decode, invalid
from tradebaas.paper.saved import MAIN
from tradebaas.paper.sessions import Session, is_near
from tradebaas.paper.told import Told

MAX_FRAME_BYTES = 32 * 1024
MAX_BRACKETS = 500
"""More could be nested deeper than a decoder goes; no call needs so many."""
FAR = "admin methods are answered to this machine only (127.0.0.1, ::1)"
MAX_WAITING = 8
"""Calls that may wait for the matching engine at once."""

_NO_PARAMS = msgspec.Raw(b"{}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


Id = int | str | msgspec.UnsetType


class Identified(msgspec.Struct):
    """What is looked for in a frame that is no call: somebody may be waiting for its answer."""

    id: Id = msgspec.UNSET


class Request(msgspec.Struct):
    """The envelope of a call; ``id`` is echoed as it came."""

    method: str
    id: Id = msgspec.UNSET
    params: msgspec.Raw = _NO_PARAMS


class Waiting(msgspec.Struct, frozen=True):
    """A call that is not executed yet, or an answer that is not sent yet."""

    due_ms: int
    session: Session
    us_in: int
    account: str
    request: Request | None = None
    answered: bool = False
    frame: bytes = b""


class Bearer(msgspec.Struct):
    """The one parameter that every private method has; what else is given is not looked at."""

    access_token: str | None = None


def _token_in(body: bytes) -> str | None:
    """Return the access token among the parameters, if there is one."""
    if b"access_token" not in body:
        return None
    try:
        return msgspec.json.decode(body, type=Bearer).access_token
    except msgspec.ValidationError:
        return None


def _id_in(text: str) -> Id:
    """Return the id of a frame that is no call, if it has one."""
    try:
        return msgspec.json.decode(text, type=Identified).id
    except msgspec.ValidationError:
        return msgspec.UNSET


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


class Front:
    """Answers frames for one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        config = exchange.config
        self.faults = Faults(frozenset(ORDER_METHODS), config.seed)
        self.faults.chances = dict(config.faults)
        self._counting = config.rate_limits and not config.lockstep
        self._credits: dict[str | None, Credits] = {}
        self.before: Callable[[str, bytes], None] | None = None
        """Called with the method and the parameters just before a call is executed."""
        self._waiting: list[Waiting] = []
        self._busy_ms = 0

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
            if _brackets(text) > MAX_BRACKETS and _brackets(_STRING.sub("", text)) > MAX_BRACKETS:
                raise msgspec.DecodeError
            request = msgspec.json.decode(text, type=Request)
        except msgspec.ValidationError:
            error = Refused(-32600, "Invalid Request")
            self._refuse(session, error.wire(), now_us, _id_in(text))
            return ""
        except msgspec.DecodeError:
            bad: Wire = {"code": 11050, "message": "bad_request", "data": "invalid json"}
            self._refuse(session, bad, now_us)
            return ""
        self._dispatch(self._call(session, request, wall_ms, clock), request, now_us)
        return request.method

    def _call(self, session: Session, request: Request, wall_ms: int, clock: Wire) -> Call:
        owner = self.exchange.gate.owner(session, _token_in(bytes(request.params)))
        desk = self.exchange.desks[MAIN if owner is None else owner]
        return Call(self.exchange, session, wall_ms, clock, self.faults, desk, owner)

    def _steers(self, session: Session, method: str) -> bool:
        """Return whether a call is a driver's, whom no one needs to count or to watch."""
        asked = method.startswith("admin/") and self.exchange.config.admin
        return asked and is_near(session.peer)

    def _take_credit(self, call: Call, request: Request) -> None:
        """Count a call to its account, and those of the public together."""
        if not self._counting or self._steers(call.session, request.method):
            return
        if call.owner not in self._credits:
            self._credits[call.owner] = Credits(call.exchange.terms.limits)
        method = request.method
        changes = method in ORDER_METHODS
        self._credits[call.owner].take(method, changes_orders=changes, now_ms=call.exchange.now_ms)

    def _dispatch(self, call: Call, request: Request, now_us: int) -> None:
        session, method = call.session, request.method
        session.admin = session.admin or self._steers(session, method)
        body = bytes(request.params)
        try:
            self._take_credit(call, request)
        except Refused as refused:
            session.ends = True
            self._answer(call, request, {"error": refused.wire()}, now_us, None)
            return
        if self.faults.take("swallow", method, body):
            call.exchange.outbox.drop(session.number)
        elif not self.faults.take("deaf", method, body) and not self._queue(call, request, now_us):
            self._perform(call, request, now_us)

    def _queue(self, call: Call, request: Request, now_us: int) -> bool:
        """Let a call wait if the matching engine is slow or still busy with earlier ones."""
        method, body, now_ms = request.method, bytes(request.params), call.exchange.now_ms
        deferred = self.faults.take("defer", method, body)
        rule = deferred or self.faults.take("queue", method, body)
        if rule is not None:
            self._busy_ms = max(self._busy_ms, now_ms + rule.delay_ms)
        if method not in ORDER_METHODS or now_ms >= self._busy_ms:
            return False
        if sum(item.request is not None for item in self._waiting) >= MAX_WAITING:
            full = Refused(10047, "matching_engine_queue_full")
            self._write_request(call.session, call.desk.name, request, {"error": full.wire()})
            self._answer(call, request, {"error": full.wire()}, now_us, None)
            return True
        answered = deferred is not None and deferred.error is not None
        if deferred is not None and deferred.error is not None:
            self._answer(call, request, {"error": deferred.error.wire()}, now_us, None)
        self._wait(Waiting(self._busy_ms, call.session, now_us, call.desk.name, request, answered))
        return True

    def _perform(self, call: Call, request: Request, now_us: int, answered: bool = False) -> None:
        session, method, body = call.session, request.method, bytes(request.params)
        if self.before is not None and not method.startswith("admin/"):
            self.before(method, body)
        # The answer goes out before what the call set off; a hold covers both.
        place = call.exchange.outbox.mark()
        held: int | None = None
        if self.faults.take("hold", method, body):
            session.held = session.held or []
            held = len(session.held)
        outcome = self._outcome(call, request)
        if session.number not in call.exchange.sessions or answered:
            return
        if self.faults.take("lose", method, body):
            call.exchange.outbox.silence(place, session.number)
            call.exchange.outbox.drop(session.number)
        elif self.faults.take("mute", method, body):
            return
        elif held is not None and session.held is not None:
            session.held.insert(held, self._frame(request.id, outcome, now_us))
        else:
            self._answer(call, request, outcome, now_us, place)

    def _answer(
        self, call: Call, request: Request, outcome: Wire, now_us: int, place: int | None
    ) -> None:
        session, method, body = call.session, request.method, bytes(request.params)
        denied = self.faults.take("deny", method, body)
        if denied is not None and denied.error is not None:
            outcome = {"error": denied.error.wire()}
            session.ends = denied.ends
        frame = self._frame(request.id, outcome, now_us)
        late = self.faults.take("late", method, body)
        if late is not None and late.delay_ms:
            due_ms = call.exchange.now_ms + late.delay_ms
            self._wait(Waiting(due_ms, session, now_us, call.desk.name, frame=frame))
        elif late is not None or place is None:
            call.exchange.outbox.send(session.number, frame)
        else:
            call.exchange.outbox.insert(place, session.number, frame)
        if session.ends:
            call.exchange.outbox.drop(session.number)

    # -- what waits ---------------------------------------------------------------------------

    @property
    def next_due_ms(self) -> int | None:
        """When the next thing that waits is due, in exchange time; None when nothing waits."""
        return self._waiting[0].due_ms if self._waiting else None

    def run_due(self, now_us: int, wall_ms: int, clock: Wire) -> None:
        """Execute the calls and send the answers whose time has come, in their order.

        A call is executed though its connection has gone; its answer then reaches nobody.
        """
        while self._waiting and self._waiting[0].due_ms * 1000 <= now_us:
            item = self._waiting.pop(0)
            self.exchange.set_now(now_us // 1000)
            if item.request is not None:
                call = self._call(item.session, item.request, wall_ms, clock)
                self._perform(call, item.request, item.us_in, item.answered)
            elif item.session.number in self.exchange.sessions:
                self.exchange.outbox.send(item.session.number, item.frame)

    def quiet(self) -> None:
        """Disarm everything and let go of what is held; what waits stays due."""
        self.faults.rules.clear()
        self.faults.chances.clear()
        self.before = None
        self.exchange.outbox.release()

    def _kill_queued(self) -> None:
        """Answer the calls that wait for the matching engine: ``cancel_all`` ends them too."""
        killed = [item for item in self._waiting if item.request is not None]
        self._waiting = [item for item in self._waiting if item.request is None]
        error = Refused(13666, "request_cancelled_by_user").wire()
        for item in killed:
            if item.request is not None:
                self._write_request(item.session, item.account, item.request, {"error": error})
                frame = self._frame(item.request.id, {"error": error}, item.us_in)
                if item.session.number in self.exchange.sessions and not item.answered:
                    self.exchange.outbox.send(item.session.number, frame)

    def _wait(self, item: "Waiting") -> None:
        insort(self._waiting, item, key=attrgetter("due_ms"))

    # -- the account's owner ------------------------------------------------------------------

    def own(self, method: str, params: Wire) -> object:
        """Do what the account's owner can do elsewhere (``admin/`` methods), and journal it.

        It comes through a session of its own, which begins and ends with it.

        Raises:
            Refused: it cannot be done.
        """
        exchange = self.exchange
        session = exchange.connect()
        session.admin = True
        request = Request(method, params=msgspec.Raw(encode(params)))
        try:
            outcome = self._outcome(self._call(session, request, 0, {}), request)
        finally:
            exchange.disconnect(session.number)
        if "error" in outcome:
            raise Refused(**cast(dict[str, Any], outcome["error"]))
        return outcome["result"]

    def _outcome(self, call: Call, request: Request) -> Wire:
        method, body = request.method, bytes(request.params)
        try:
            forced = self.faults.take("reject", method, body)
            if forced is not None and forced.error is not None:
                call.session.ends = forced.ends
                raise forced.error
            outcome: Wire = {"result": self._run(call, method, body)}
        except Refused as refused:
            outcome = {"error": refused.wire()}
        if method.endswith("/cancel_all") and "result" in outcome:
            self._kill_queued()
        if method in ORDER_METHODS:
            self._write_request(call.session, call.desk.name, request, outcome)
        elif method.startswith("admin/") and method not in READ_ONLY:
            sent = anything(body)
            line: Wire = {"method": method, "params": sent, "outcome": _summary(outcome)}
            self.exchange.recorder.write("admin", line, call.desk.name)
        return outcome

    def _run(self, call: Call, method: str, body: bytes) -> object:
        steers = method in ADMIN_METHODS and call.exchange.config.admin
        table: dict[str, Method[Any]] = ADMIN_METHODS if steers else METHODS
        if steers and not is_near(call.session.peer):
            raise Refused(13021, "forbidden", {"reason": FAR})
        if method not in table:
            raise Refused(-32601, "Method not found")
        if call.session.proof is not None and method in WEBSOCKET_ONLY:
            raise Refused(10030, "must_be_websocket_request")
        if method.startswith("private/") and call.exchange.terms.readings.first == "login":
            self._check_login(call, method, _token_in(body))
        asked = decode(body, table[method].params)
        if table is METHODS:
            now_ms = call.exchange.now_ms
            call.exchange.terms.check(method, method in ORDER_METHODS, now_ms)
        if method.startswith("private/"):
            self._check_login(call, method, asked.access_token)
        if asked.subaccount_id not in {None, call.desk.saved.account_id}:
            raise invalid("subaccount_id", "invalid value")
        return table[method].handler(call, asked)

    def _check_login(self, call: Call, method: str, token: str | None) -> None:
        call.exchange.gate.check(call.session, method, token, call.wall_ms)
        call.exchange.act_for(call.session, call.desk)

    def _write_request(
        self, session: Session, account: str, request: Request, outcome: Wire
    ) -> None:
        sent = anything(request.params)
        given = sent if isinstance(sent, dict) else {}
        legs = given.get("otoco_config")
        legs = legs if isinstance(legs, list) else []
        labels = [leg.get("label", "") for leg in legs if isinstance(leg, dict)]
        given.pop("access_token", None)
        line: Wire = {
            "session": session.number,
            "method": request.method,
            "label": given.get("label", ""),
            "leg_labels": labels,
            "params": given,
            "outcome": _summary(outcome),
            **_told(session, request.method, given),
        }
        self.exchange.recorder.write("request", line, account)

    def _refuse(self, session: Session, error: Wire, now_us: int, id_: Id = msgspec.UNSET) -> None:
        """Answer a frame that is no call."""
        frame = self._frame(id_, {"error": error}, now_us)
        self.exchange.outbox.send(session.number, frame)

    def _frame(self, id_: Id, outcome: Wire, now_us: int) -> bytes:
        out_us = max(now_us, self.exchange.now_ms * 1000)
        wire: Wire = {"jsonrpc": "2.0"}
        if id_ is not msgspec.UNSET:
            wire["id"] = id_
        wire |= outcome
        wire |= {"usIn": now_us, "usOut": out_us, "usDiff": out_us - now_us, "testnet": True}
        return encode(wire)


def _told(session: Session, method: str, given: Wire) -> Wire:
    """Return which best prices who asks for an entry was told, on the side that it would take."""
    if method not in ("private/buy", "private/sell") or given.get("reduce_only"):
        return {}
    told = session.told.get(str(given.get("instrument_name")), Told())
    return {"told": told.asks if method == "private/buy" else told.bids}


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
