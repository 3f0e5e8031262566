"""Exhaustive, not random: every point of a trade cycle at which a process can die or lose its
connection, and every way.

scenarios  the scripts: an entry, and each way in which it can go on
points     commits, syncs, sends and receives, numbered as they come (``frames`` names the last
           two)
outcomes   what the exchange makes of the moment of a death
cuts       where a connection is cut, and what gets through
stage      one world: a script, a death or two or a cut, recovery, judgement; ``market`` stands
           still in it, ``steady`` is its strategy and ``settings`` how the daemon is configured
trial      one script with its deaths or its cut, and what came of it
forks      one run of a script for all its trials
remains    which deaths are one, and which cuts
explore    which deaths and cuts are tried at which points
campaign   all of them on all cores; ``census`` counts, ``command`` is what a person types
"""
