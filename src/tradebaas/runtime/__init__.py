"""Trio tools that know nothing of trading: ports, mailboxes, supervision, sd_notify.

This package imports ``tradebaas.errors`` and nothing else of the program.
"""
