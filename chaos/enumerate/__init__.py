"""Exhaustive, not random: every point of a trade cycle at which a process can die, and every way.

scenarios  the scripts: an entry, and each way in which it can go on
points     commits, syncs, sends and receives, numbered as they come (``frames`` names the last
           two)
outcomes   what the exchange makes of the moment of a death
stage      one world: a script, a death or two, recovery, judgement; ``market`` stands still in
           it, and ``steady`` is its strategy
trial      one script with its deaths, and what came of it
forks      one run of a script for all its trials
explore    which deaths are tried at which points
campaign   all of them on all cores; ``census`` counts, ``command`` is what a person types
"""
