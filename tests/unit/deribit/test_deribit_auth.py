"""Signatures against known vectors, the parameters of each grant, and a secret that never shows."""

import pytest

from tradebaas.deribit.auth import Credentials, Endpoint, login_params, refresh_params, signature
from tradebaas.errors import ConfigError

SECRET = "EXAMPLESECRET00"
KEY = Credentials("exAmpLe1", SECRET)


@pytest.mark.parametrize(
    "data, expected",
    [
        ("", "53db666f2295fc33a5ed3a8cd70770e9b2e57573391b9fe2540a34bcdf1c2621"),
        ("hello", "a0bf7c1fe29915d767a6c2b97be8efa11a9f9257da42462f67f2309ee45083a1"),
    ],
)
def test_signatures_are_those_of_the_protocol(data: str, expected: str) -> None:
    assert signature(SECRET, 1785000000123, "k7f2m9qa", data) == expected


def test_client_signature_sends_no_secret() -> None:
    params = login_params(KEY, "client_signature", 1785000000123, "k7f2m9qa")
    assert params == {
        "grant_type": "client_signature",
        "client_id": "exAmpLe1",
        "timestamp": 1785000000123,
        "nonce": "k7f2m9qa",
        "data": "",
        "signature": "53db666f2295fc33a5ed3a8cd70770e9b2e57573391b9fe2540a34bcdf1c2621",
    }


def test_client_credentials_send_the_secret() -> None:
    assert login_params(KEY, "client_credentials", 1, "n") == {
        "grant_type": "client_credentials",
        "client_id": "exAmpLe1",
        "client_secret": SECRET,
    }


def test_an_unknown_grant_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'password'.*client_signature or client_credentials"):
        login_params(KEY, "password", 1, "n")


def test_refresh_uses_only_the_token() -> None:
    assert refresh_params("t0") == {"grant_type": "refresh_token", "refresh_token": "t0"}


def test_the_secret_does_not_show() -> None:
    endpoint = Endpoint("wss://example.test/ws", KEY, "client_signature", "")
    assert SECRET not in f"{KEY!r} {KEY} {endpoint!r} {endpoint}"
    assert "exAmpLe1" in repr(KEY)
