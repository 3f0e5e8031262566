"""Which line starts the daemon of a directory: that of its unit, where there is one."""

from pathlib import Path

import pytest

from tradebaas.commands.starting import start_command

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("/var/lib/tradebaas", "systemctl start tradebaas"),
        ("/var/lib/tradebaas-one", "systemctl start tradebaas@one"),
    ],
)
def test_a_directory_of_a_unit_is_started_by_it(data: str, line: str) -> None:
    assert start_command(Path(data), UNITS) == line


@pytest.mark.parametrize("data", ["/var/lib/tradebaas-one/drill", "/srv/mine"])
def test_any_other_is_run_by_hand(data: str) -> None:
    assert start_command(Path(data), UNITS).endswith(f"run --data {data}")
