"""Puts the program under systemd: a user, directories, releases, units. Trades nothing."""
