"""The embedded exchange: a small exchange in a process of its own that speaks Deribit's protocol.

It exists so that a person can see the daemon trade without an account, so that tests have an
exchange that keeps true books, and so that a judge has a ledger that shares no code with the
daemon. Prices are generated from a seed or replayed from a candle file; orders, positions and
money behave as Deribit documents them.

It must never import the daemon's own arithmetic (``tradebaas.core``): two ledgers that share code
agree even when both are wrong. Everything is pure except ``journal`` (SQLite), ``server``
(tasks and streams) and ``process`` (sockets, signals, the directory); time and randomness are
handed in.
"""
