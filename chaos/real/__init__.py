"""The driver that hurts real processes: the installed daemon and the embedded exchange.

kill      the campaign: all rounds and the verdict; ``rounds``: steer, kill, meddle, restart
driver    everything one campaign holds: processes, clients, ledgers, what was witnessed
steer     leads the daemon into a lifecycle state
nemesis   what happens to the account while the daemon is down
strace    reads a trace of system calls and proves the order of sync and promise (``fsync``)
replay    plays a candle file in lockstep and compares both ledgers to the last digit
"""
