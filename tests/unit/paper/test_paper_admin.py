"""Who may steer the exchange, and what a driver is told of its mistakes."""

from pathlib import Path
from typing import Any

import pytest
from paper_kit import FLAT, Lab, RpcError, replay

from tradebaas.errors import ConfigError
from tradebaas.paper.admin import ADMIN_METHODS
from tradebaas.paper.config import DEFAULT_SECRET, ExchangeConfig, check
from tradebaas.paper.credits import limits_of
from tradebaas.paper.readings import CHOICES
from tradebaas.paper.sessions import is_near

FAR = "192.0.2.7"


def from_afar(lab: Lab) -> Lab:
    lab.session = lab.exchange.connect(FAR).number
    return lab


def refused(lab: Lab, method: str, **asked: Any) -> RpcError:
    with pytest.raises(RpcError) as error:
        lab.call(method, **asked)
    return error.value


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), (FAR, False), ("::ffff:192.0.2.7", False),
        ("fe80::1%eth0", False), ("", False), ("x", False),
    ],
)  # fmt: skip
def test_what_is_near(address: str, near: bool) -> None:
    assert is_near(address) == near


@pytest.mark.parametrize("method", sorted(ADMIN_METHODS))
def test_nobody_steers_from_another_machine(method: str) -> None:
    lab = from_afar(Lab(replay(FLAT)))
    error = refused(lab, method)
    assert (error.code, error.message) == (13021, "forbidden")
    assert "this machine" in error.data["reason"]
    assert not lab.exchange.sessions[lab.session].admin
    assert not lab.journal("admin") or lab.journal("admin")[0]["outcome"]["error"]


def test_a_login_does_not_help_who_is_far() -> None:
    lab = from_afar(Lab(replay(FLAT)))
    lab.login("paper", "paper-secret")
    assert refused(lab, "admin/price", price=1).code == 13021
    assert lab.exchange.tape.price == 80_000


def test_without_admin_there_is_nothing_to_steer_and_nobody_is_taken_for_a_driver() -> None:
    lab = Lab(replay(FLAT), admin=False)
    assert refused(lab, "admin/state").code == -32601
    assert not lab.exchange.sessions[lab.session].admin


@pytest.mark.parametrize("settings", [{"admin": False}, {"admin": True}])
def test_whom_it_is_refused_to_pays_for_asking(settings: dict[str, bool]) -> None:
    lab = from_afar(Lab(replay(FLAT), lockstep=False, **settings))
    codes = [refused(lab, "admin/state").code for _ in range(limits_of(4)["general"].burst + 1)]
    assert codes[-1] == 10028
    assert codes.index(10028) > limits_of(4)["general"].burst - 3


def test_a_misspelt_parameter_is_named_with_those_that_there_are() -> None:
    lab = Lab(replay(FLAT))
    error = refused(lab, "admin/reading", wrong_side="refuse")
    assert error.code == -32602
    assert error.data == {"param": "wrong_side", "reason": "unknown; there are: readings"}
    assert refused(lab, "admin/state", x=1).data["reason"] == "unknown; there are: none"
    assert refused(lab, "admin/thin", thin="cancel", for_s=1).data["param"] == "for_s"


def test_an_unknown_reading_is_refused_with_the_known_ones() -> None:
    lab = Lab(replay(FLAT))
    error = refused(lab, "admin/reading", readings={"wrong_sied": "refuse"})
    assert all(name in error.data["reason"] for name in CHOICES)
    assert "did you mean 'wrong_side'?" in error.data["reason"]
    assert "wrong_side=fire or wrong_side=refuse" in refused(
        lab, "admin/reading", readings={"wrong_side": "x"}
    ).data["reason"]  # fmt: skip
    assert lab.call("admin/reading")["readings"]["wrong_side"] == "fire"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", FAR, "example.org"])
def test_who_can_be_reached_needs_a_secret_of_his_own(host: str) -> None:
    open_to_all = ExchangeConfig(directory=Path("/nowhere"), host=host)
    with pytest.raises(ConfigError, match=r"--secret.*127\.0\.0\.1") as error:
        check(open_to_all)
    assert host in str(error.value)
    check(ExchangeConfig(directory=Path("/nowhere"), host=host, client_secret="of my own"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.9"])
def test_on_loopback_the_usual_secret_will_do(host: str) -> None:
    check(ExchangeConfig(directory=Path("/nowhere"), host=host, client_secret=DEFAULT_SECRET))
