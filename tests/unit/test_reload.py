"""What a reload takes, and what it leaves to a restart."""

from decimal import Decimal

from tradebaas.config import Config, HttpSection, RiskSection
from tradebaas.reload import taken
from tradebaas.settings import NoticesSection

OLD = Config()


def test_what_it_tells_is_taken() -> None:
    new = Config(notices=NoticesSection(opened=False))
    config, words = taken(OLD, new)
    assert config == new
    assert words == "the configuration was read again; taken: [notices]"


def test_what_takes_a_restart_is_named_and_left() -> None:
    new = Config(http=HttpSection(port=1), risk=RiskSection(risk_percent=Decimal(3)))
    config, words = taken(OLD, new)
    assert config == OLD
    assert "taken: nothing, since nothing has changed there" in words
    assert words.endswith("only a restart takes it: [risk], [http]")


def test_another_data_directory_takes_a_restart() -> None:
    config, words = taken(OLD, Config(data="elsewhere"))
    assert config.data == "data"
    assert words.endswith("[data]")
