"""The table of all faults, by name: what a profile may draw from."""

from chaos.real.fault import Fault
from chaos.real.faults import kills

FAULTS: dict[str, Fault] = {**kills.FAULTS}
