"""A second pair of eyes: what the account really holds, against what the daemon believes it holds.

    account    what the exchange says, by HTTP, with a key of its own that may only read
    belief     what the daemon says, by its API, or its store while it is down
    compare    where the two differ

An auditor that used the daemon's own client and rules would share its mistakes, so nothing here
imports them, and nothing here can send anything but reads.
"""
