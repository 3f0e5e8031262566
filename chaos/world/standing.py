"""Whether the daemon stood on solid ground when it intended an order: a fold of its own.

Ground is a connection through which this life has read the account in full and which it has not
lost since. ``core.apply`` keeps the same in the state, but a daemon that is broken there would be
believed by a judge that asked it; so this reads nothing but the order of four kinds of event. Pure.
"""

from dataclasses import dataclass

from tradebaas.core.events import Event, LifeStarted, Linked, LinkLost, Reconciled
from tradebaas.core.model import Intent


@dataclass(slots=True)
class Standing:
    """Where the log has come to; numbers are 0 while there is no life or no connection."""

    life: int = 0
    connection: int = 0
    read: bool = False

    def take(self, event: Event) -> None:
        """Go on by one event."""
        match event:
            case LifeStarted(life=life):
                self.life, self.connection, self.read = life, 0, False
            case Linked(connection=connection):
                self.connection, self.read = connection, False
            case LinkLost():
                self.connection, self.read = 0, False
            case Reconciled(connection=connection):
                self.read = self.read or connection == self.connection
            case _:
                pass  # nothing else makes or takes away ground

    def lacks(self, intent: Intent) -> str:
        """What ``intent``, committed now, does not stand on; "" when it does."""
        lacks = (
            (self.connection == 0, "no connection"),
            (not self.read, "the account was not read since the connect"),
            (intent.life != self.life, f"life {self.life} is not its own, {intent.life}"),
            (intent.connection != self.connection, f"connection {self.connection} is not its own"),
        )
        return ", ".join(what for lacking, what in lacks if lacking)
