"""front.py PEM PORT BEHIND: TLS on PORT, with the certificate and key in PEM, before BEHIND."""

import ssl
import sys
from contextlib import suppress

import trio

Started = trio.TaskStatus[list[trio.SSLListener[trio.SocketStream]]]


async def serve(
    pem: str, port: int, behind: int, *, task_status: Started = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; started with the listeners."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    async def relay(near: trio.SSLStream[trio.SocketStream]) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with (
                await trio.open_tcp_stream("127.0.0.1", behind) as far,
                near,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(_pump, near, far, nursery.cancel_scope)
                nursery.start_soon(_pump, far, near, nursery.cancel_scope)

    await trio.serve_ssl_over_tcp(
        relay, port, context, host="127.0.0.1", https_compatible=True, task_status=task_status
    )


async def _pump(source: trio.abc.Stream, target: trio.abc.Stream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for data in source:
            await target.send_all(data)
    scope.cancel()


if __name__ == "__main__":
    trio.run(serve, sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
