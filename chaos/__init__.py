"""The chaos harness: kills the real daemon again and again and proves that nothing was lost.

``python -m chaos kill`` runs the exchange and the daemon as separate processes, steers the daemon
into a lifecycle state, kills it, meddles while it is down, starts it again, and lets an oracle
judge. ``python -m chaos fsync`` shows apart that what was acknowledged had reached the disk.

    kill      the campaign: all rounds and the verdict; ``rounds``: steer, kill, meddle, restart
    driver    everything one campaign holds: processes, clients, ledgers, what was witnessed
    steer     leads the daemon into a lifecycle state
    nemesis   what happens to the account while the daemon is down
    ledger    reads the exchange's journal and the daemon's store, with code of its own
    books     folds the exchange's journal; ``story`` folds the daemon's log
    oracle    pure judgement over books, story and witness; ``report`` prints it
    strace    reads a trace of system calls and proves the order of sync and promise (``fsync``)
    breaks/   deliberate breakages that the oracle must catch

Only facts count: the exchange's journal, the daemon's store, and what the driver saw itself.
"""
