"""The driver that hurts real processes: the installed daemon and the embedded exchange.

campaign  all rounds of a profile and what came of them; ``report`` makes the verdict of it
profile   what a profile may say; ``fault``: what a fault is; ``faults/``: the table of them
permitted what this machine permits; ``catalogue`` lists it
rounds    one round: steer, let a fault strike, bring back, clear; ``scene`` is what it sees
judge     has the oracle judge each round, and everything at the end
driver    everything one campaign holds: processes, clients, ledgers, what was witnessed
steer     leads the daemon into a lifecycle state
nemesis   what happens to the account while the daemon is down
stage     what the daemon is put on: ``volume`` (a file system), ``relay`` and ``wire`` (before the
          exchange), ``keeper`` (plays systemd), ``memory``, ``faketime``, ``network``; ``tracer``
proofs    which broken daemon each kind of harm must find; ``breakages`` are those of its own
strace    reads a trace of system calls and proves the order of sync and promise (``fsync``)
replay    plays a candle file in lockstep and compares both ledgers to the last digit
"""
