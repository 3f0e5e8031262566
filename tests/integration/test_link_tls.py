"""A wss endpoint is verified: a certificate that nobody vouches for ends the attempt."""

import contextlib
import functools
import ssl
from pathlib import Path

import pytest
import trio

from tradebaas.deribit.auth import Credentials, Endpoint
from tradebaas.deribit.credits import Credits
from tradebaas.deribit.link import LinkLost, open_link
from tradebaas.runtime.ports import system_ports

SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqirmtkLOEpqZNY2j
P0vLkXza1pizHgYY1MylAnHU+OihRANCAARDuUKcrKrDODWhLnOV1BCEE2xxNM54
XOq7Th1J4G1fcuJKm8oaHNGQoEgizoI82KWKL/VGaYKr5WLOc7sjl6ui
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUSZJtxrk+y9figvKpcHQyQUo9AC0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDAzMjA0NFoYDzIxMjYxMDMx
MDMyMDQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARDuUKcrKrDODWhLnOV1BCEE2xxNM54XOq7Th1J4G1fcuJKm8oaHNGQ
oEgizoI82KWKL/VGaYKr5WLOc7sjl6uio2kwZzAdBgNVHQ4EFgQU1u3Q1v/o3dT8
lpcwGKjPnw5qwdAwHwYDVR0jBBgwFoAU1u3Q1v/o3dT8lpcwGKjPnw5qwdAwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhANQe0oMvSsVmzyOep4vK5q5Ap6I8ppTOOYJnLoKV+CBxAiEA24dPPTg6
tNisZvOMCKConmIcQQj1XnlIFU8xdZhl+Lg=
-----END CERTIFICATE-----
"""


async def swallow(stream: trio.abc.Stream, heard: list[bytes]) -> None:
    """Shake hands as the server does and note whatever gets through."""
    with contextlib.suppress(trio.BrokenResourceError):  # the client does not like the certificate
        heard.append(bytes(await stream.receive_some()))


async def test_an_unknown_certificate_is_refused(tmp_path: Path, nursery: trio.Nursery) -> None:
    pem = tmp_path / "self-signed.pem"
    pem.write_text(SELF_SIGNED, encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    heard: list[bytes] = []
    serve = functools.partial(
        trio.serve_ssl_over_tcp,
        functools.partial(swallow, heard=heard),
        0,
        context,
        host="127.0.0.1",
        https_compatible=True,
    )
    listeners = await nursery.start(serve)
    port = listeners[0].transport_listener.socket.getsockname()[1]
    key = Credentials("id", "S3CRET")
    endpoint = Endpoint(f"wss://localhost:{port}/ws/api/v2", key, "client_credentials", "")
    with pytest.raises(LinkLost, match="CERTIFICATE_VERIFY_FAILED"):
        async with open_link(endpoint, system_ports(), Credits(), inbox=16):
            pytest.fail("got in")
    assert b"".join(heard) == b""  # neither hello nor secret got through
    nursery.cancel_scope.cancel()
