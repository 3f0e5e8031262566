"""How the daemon of a data directory is started: by its unit where one runs it, else by hand."""

import re
from pathlib import Path

from tradebaas import names
from tradebaas.service.places import UNITS

RUNS = re.compile(r"^ExecStart=\S+ run\b.* --data (\S+)", re.MULTILINE)


def start_command(data_dir: Path, units: Path = UNITS) -> str:
    """The line that a person types."""
    unit = _unit_of(data_dir.absolute(), units)
    if unit:
        return f"systemctl start {unit}"
    return names.command("run", "--data", data_dir)


def _unit_of(data_dir: Path, units: Path) -> str:
    """The unit whose daemon has that directory; "" when there is none. %i is an instance's name."""
    for file in sorted(units.glob("tradebaas*.service")):
        found = RUNS.search(file.read_text(encoding="utf-8"))
        if found is None:
            continue
        wanted = re.escape(found[1]).replace("%i", "([^/]+)")
        if match := re.fullmatch(wanted, str(data_dir)):
            instance = match[1] if match.groups() else ""
            return f"{file.stem}{instance}"
    return ""
