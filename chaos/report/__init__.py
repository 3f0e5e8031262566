"""The verdict of a run, for every driver alike, and the forms in which it is given.

    sample     a distribution of seconds that workers can merge
    verdict    what a run says: how it was made, what was counted, what was found; and ``merge``
    machine    where a run was made: commit, Python, cores, system, processor
    words      how figures are put; ``listings``: the tables as rows of words
    table      for a console
    document   as JSON
    page       as one HTML file with plots; ``plots`` draws them
    junit      for a CI system
    output     what a command calls: prints the table and writes the files that were asked for

A command counts into ``Tally`` (one per seed, round or worker), merges them, and wraps the sum in
a ``Verdict``. Whether it passed is always derived, never stored.
"""
