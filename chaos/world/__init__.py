"""What both drivers share: the ledgers as a judge reads them, and the judgement.

    ledger    reads the exchange's journal and the daemon's store, with code of its own
    books     folds the exchange's journal; ``story`` folds the daemon's log
    oracle    pure judgement over books, story and what the driver witnessed
    durable   what was told is there; ``alive``: nothing dies but of us (``starts``: which process
                  each life belongs to)
    once      no order twice (``signals``: which entries are one signal's); ``known``: the state is
                  what the exchange has, in every particular
    protected no position is bare for long (``cover``: what protects it; ``windows``: when a daemon
                  was there)
    bounded   what the owner's limits say of each entry (``priced``: what its price was made of;
                  ``resting`` over ``rests``: how long it was in the book); ``closed``: nothing
                  without ground, which ``standing`` folds from the log; ``truth``: words that the
                  journal contradicts
    deck      chance without luck
    disk      a disk that loses its power, runs full and fails: the model, in prose and code
                  (``inodes`` and ``tree`` what lies on it, ``storage`` faults, ``fates`` dice,
                  ``mount`` what one process has of it, ``vfs`` what SQLite has)
    exchange  the journal of an embedded exchange inside a simulation
    faults    everything that an exchange can inflict, as a table (``faults_*``: its groups)

Nothing here starts, kills or steers anything.
"""
