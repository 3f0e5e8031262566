"""The event store: one SQLite database, the files that guard it, and its backups.

Everything here is synchronous and knows bytes, not trading; only ``codec`` and ``folding`` know
the core. Who runs these calls in which thread is decided elsewhere (``actors.persister``).

    records     the values: records, snapshots, heads; the digest chain
    disk        the only way to files: the system's, or a simulated one
    place       which file lies where in a data directory; what says that there was a store
    faults      what SQLite's and the system's errors mean to this program
    lock        one process per data directory
    head        the guard of the log's tail
    ballast     space that is given back when the disk is full
    schema      tables, pragmas, identity checks      migrations   older schemas to the present one
    rows        the queries                           log          the writer: open, recover, append
    reader      read a live store or a backup         verify       walk the chain
    catalogue   which backups there are               backup, restore
    retention   which backups stay                    second     copies of them on another disk
    codec       events to and from records            folding      states to and from snapshots
"""
