"""The pure core: what the daemon knows and decides. No clock, no I/O, no Trio, no float money."""
