"""A server that goes away in the middle of the handshake is noticed at once, on a real socket."""

import socket
import struct
from functools import partial

import pytest
import trio

from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import LinkLost, open_link
from tradebaas.runtime.ports import system_ports

SOON_S = 2.0
"""Far less than the 10 s that a login may take."""
BEGUN = b"HTTP/1.1 101 Switching"
RESET = struct.pack("ii", 1, 0)


async def go_away(answer: bytes, read: int, reset: bool, stream: trio.SocketStream) -> None:
    if read:
        await stream.receive_some(read)
    if answer:
        await stream.send_all(answer)
    if reset:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    await stream.aclose()


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("answer, read", [(b"", 0), (b"", 57), (b"", 9999), (BEGUN, 9999)])
async def test_it_is_noticed_at_once(
    answer: bytes, read: int, reset: bool, nursery: trio.Nursery
) -> None:
    serve = partial(trio.serve_tcp, partial(go_away, answer, read, reset), 0, host="127.0.0.1")
    (listener,) = await nursery.start(serve)
    url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/ws/api/v2"
    endpoint = Endpoint(url, Credentials("paper", "secret"), "client_signature", "")
    with trio.fail_after(SOON_S), pytest.raises(LinkLost, match="middle of the handshake"):
        async with open_link(endpoint, system_ports(), Credits(), inbox=16):
            pytest.fail("nobody was there to log in to")


async def test_a_refused_connection_says_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = Endpoint(f"ws://127.0.0.1:{port}/", Credentials("p", "s"), "client_signature", "")
    with pytest.raises(LinkLost) as lost:
        async with open_link(endpoint, system_ports(), Credits(), inbox=16):
            pytest.fail("nobody was there to log in to")
    assert "Connection refused" in str(lost.value)
    assert "exception" not in str(lost.value)
