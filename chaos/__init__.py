"""The chaos harness: hurts the daemon in every way it can, and proves that nothing was lost.

    world/     what both drivers share: the ledgers as a judge reads them, and the oracle
    sim/       the daemon's own lives in one process and virtual time (``chaos sim``)
    enumerate/ every point of a trade cycle, died at in every way (``chaos enumerate``)
    real/      real processes, really hurt (``python -m chaos real``, ``fsync``, ``replay``)
    profiles/  which faults ``chaos real`` draws, and which ends of them are right
    mutants/   deliberately broken daemons, which the harness must catch
    report/    the verdict of any of them: table, JSON, one HTML page with plots, JUnit XML

Only facts count: the exchange's journal, the daemon's store, and what the driver saw itself.
"""
