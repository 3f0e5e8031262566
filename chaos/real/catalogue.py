"""Lists the profiles, their faults, and what this machine does not permit of them."""

from rich.console import Console
from rich.table import Table

from chaos.real.campaign import why_not
from chaos.real.faults import FAULTS
from chaos.real.profile import load, names


def show(console: Console) -> None:
    """One table per profile: how often a fault is drawn, what it does, and whether it can be."""
    for name in names():
        profile = load(name, FAULTS)
        table = Table(title=f"{name}: {profile.about}", title_justify="left", box=None)
        for column in ("fault", "weight", "what it does", "right ends", "here"):
            table.add_column(column, overflow="fold")
        for fault, section in profile.faults.items():
            reason = why_not(fault)
            here = f"skipped: {reason}" if reason else "yes"
            ends = ", ".join(section.ends)
            table.add_row(fault, str(section.weight), FAULTS[fault].says, ends, here)
        console.print(table)
        console.print()
