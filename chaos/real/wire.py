"""The driver's hand on the relay process: starts it, orders, and learns what came of it."""

import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import msgspec

from chaos.real.processes import ROOT, DidNotStart, environment
from chaos.real.relay import Order, Told

END_LIMIT_S = 5.0


class Wire:
    """A running relay before the server of ``url``. ``url`` is then the relay's own."""

    def __init__(self, url: str, seed: int) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.real.relay", host, str(port), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            cwd=ROOT,
            start_new_session=True,
        )
        self.told = self._hear()
        self.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{self.told.port}"))

    def order(self, order: Order) -> Told:
        """Have something done.

        Raises:
            DidNotStart: The relay has ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        self.told = self._hear()
        return self.told

    def end(self) -> None:
        """End the relay."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_LIMIT_S)
        self._process.stdout.close()

    def _hear(self) -> Told:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DidNotStart("the relay before the exchange has ended by itself")
        return msgspec.json.decode(line, type=Told)
