"""Strategies: functions of closed candles and the position that propose entries with a stop.

``protocol`` says what a strategy is, ``registry`` finds one by name, ``signals`` turns its proposal
into a signal with an identity, ``indicators`` holds the only float arithmetic of the program and
``ma_cross`` is the built-in strategy. Nothing in this package keeps state, reads a clock or sends
an order. Importing it must stay cheap: only ``indicators`` imports numpy and TA-Lib.
"""
