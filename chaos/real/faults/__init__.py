"""The table of all faults, by name: what a profile may draw from."""

from chaos.real.fault import Fault
from chaos.real.faults import clocks, damage, disks, exchanges, kills, limits, stops, wires

FAULTS: dict[str, Fault] = {
    **kills.FAULTS,
    **stops.FAULTS,
    **exchanges.FAULTS,
    **wires.FAULTS,
    **disks.FAULTS,
    **damage.FAULTS,
    **limits.FAULTS,
    **clocks.FAULTS,
}
