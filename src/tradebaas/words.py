"""Words of the daemon's line for systemd by which an installation knows how it fares.

Whoever writes them and whoever looks for them take them from here. Nothing here runs anything.
"""

NOT_CONNECTED = "not connected"
"""There is no link to the exchange; what follows says why."""
NOT_YET = f"{NOT_CONNECTED} yet"
"""It has not been tried."""
REFUSED_LOGIN = "refused the login"
"""The exchange is there and does not let us in."""
