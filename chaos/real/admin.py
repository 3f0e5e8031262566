"""A small synchronous client of the embedded exchange: its admin methods over one WebSocket.

One call at a time, each with a deadline. Notifications are not expected on this connection.
"""

import socket
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, TextMessage
from wsproto.events import Request as WsRequest

CALL_LIMIT_S = 5.0
_encode = msgspec.json.Encoder(decimal_format="number").encode
Json = dict[str, object]


class ExchangeGone(Exception):
    """The exchange does not answer: it has ended, or hangs."""


class AdminRefused(Exception):
    """The exchange refused a call; the message has its code and words."""


class Admin:
    """Calls ``admin/*`` methods; connects at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._socket = socket.create_connection(address, timeout=CALL_LIMIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._id = 0
        self._socket.sendall(self._ws.send(WsRequest(host=parts.netloc, target=parts.path)))
        self._await_accept()

    def call(self, method: str, /, **params: object) -> object:
        """The result of one call.

        Raises:
            AdminRefused, ExchangeGone.
        """
        self._id += 1
        text = _encode({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        try:
            self._socket.sendall(self._ws.send(TextMessage(data=text.decode())))
            answer = self._answer()
        except OSError as error:
            raise ExchangeGone(f"no answer to {method} from {self._url}: {error}") from error
        if "error" in answer:
            raise AdminRefused(f"{method}({params}): {answer['error']}")
        return answer.get("result")

    def table(self, method: str, /, **params: object) -> Json:
        """The result of a call that answers with an object."""
        result = self.call(method, **params)
        if not isinstance(result, dict):
            raise AdminRefused(f"{method} answered {result!r}, not an object")
        return result

    def price(self) -> Decimal:
        """The market price now."""
        return Decimal(str(self.table("admin/state")["price"]))

    def bar(self) -> int:
        """The number of the running bar."""
        return int(str(self.table("admin/state")["bar"]))

    def n(self) -> int:
        """The last line of the journal."""
        return int(str(self.table("admin/state")["n"]))

    def close(self) -> None:
        """Drop the connection."""
        self._socket.close()

    def _await_accept(self) -> None:
        while True:
            self._receive()
            for event in self._ws.events():
                if isinstance(event, AcceptConnection):
                    return
                if isinstance(event, RejectConnection | CloseConnection):
                    raise ExchangeGone(f"{self._url} refused the connection: {event}")

    def _answer(self) -> Json:
        text = ""
        while True:
            for event in self._ws.events():
                if isinstance(event, CloseConnection):
                    raise ExchangeGone(f"{self._url} closed the connection: {event.reason}")
                if isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        answer, text = msgspec.json.decode(text, type=Json), ""
                        if answer.get("id") == self._id:
                            return answer
            self._receive()

    def _receive(self) -> None:
        data = self._socket.recv(65_536)
        if not data:
            raise ExchangeGone(f"{self._url} closed the connection")
        self._ws.receive_data(data)
