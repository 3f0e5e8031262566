"""Never plan a protective stop: a position whose stop is gone stays as it is."""

from chaos.breaks.patch import patch
from tradebaas.core import duties
from tradebaas.core.events import Event


def apply() -> None:
    """Break the plan to protect."""

    def nothing(*_arguments: object) -> Event | None:
        return None

    patch(duties, "_protect", nothing)
