"""Serves the application on a loopback address until asked to stop.

The listening sockets are opened here, so that a port in use is one clear message and not a group
of exceptions from inside the HTTP server, which then takes them over.
"""

import errno
import functools
import logging

import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve as hypercorn_serve
from quart_trio import QuartTrio

from tradebaas.errors import Unusable

GRACE_SECONDS = 3.0


async def serve(
    app: QuartTrio,
    host: str,
    port: int,
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests until ``shutdown``; then finish those under way within ``GRACE_SECONDS``.

    ``task_status`` gets the URL once connections are accepted; port 0 takes any free one.

    Raises:
        Unusable: The address cannot be listened on.
    """
    listeners = await _listen(host, port)
    url = _url(host, listeners[0].socket.getsockname()[1])
    config = HypercornConfig()
    config.bind = [f"fd://{listener.socket.detach()}" for listener in listeners]
    config.graceful_timeout = GRACE_SECONDS
    config.include_server_header = False
    config.errorlog = logging.getLogger("tradebaas.http")
    async with trio.open_nursery() as nursery:
        await nursery.start(
            functools.partial(hypercorn_serve, app, config, shutdown_trigger=shutdown.wait)
        )
        task_status.started(url)


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise Unusable(
            f"cannot serve HTTP on {host}:{port}: {error.strerror}. {_remedy(error.errno)}, "
            "or choose another port with --port or http.port in tradebaas.toml"
        ) from error


def _remedy(number: int | None) -> str:
    match number:
        case errno.EADDRINUSE:
            return "Stop the program that listens there (`ss -ltnp` names it)"
        case errno.EACCES:
            return "Ports below 1024 need privileges"
        case _:
            return "Check the address"


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
