"""Receivers of notices on loopback: a web service and a mail server, both real."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Service:
    """A web service: what it was sent, and how it will answer (200 when nothing is said)."""

    port: int = 0
    got: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    hangs: threading.Event = field(default_factory=threading.Event)
    """Set: an answer waits until it is cleared."""
    tries: int = 0

    def address(self, path: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/{path}"

    @property
    def titles(self) -> list[str]:
        return [notice["title"].removeprefix("TradeBaas: ") for notice in self.got]


@contextmanager
def service() -> Iterator[Service]:
    """One that runs for as long as the block does."""
    here = Service()
    over = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            here.tries += 1
            while here.hangs.is_set() and not over.wait(0.02):
                pass
            answer = here.answers.pop(0) if here.answers else 200
            if answer == 200:
                here.got.append(body)
            self.send_response(answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that was stopped while it waited is none."""

    with Quiet(("127.0.0.1", 0), Receiver) as server:
        here.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield here
        finally:
            over.set()
            server.shutdown()
            thread.join()


class _Mailbox:
    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content))
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Message]]]:
    """The port of a mail server, and the mails that it took."""
    box = _Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, box.mails
    finally:
        controller.stop()
