"""Acting at the exchange without a daemon: the same decisions and the same desk, and no disk.

    flatten   the deed of a halt: cancel entries, close, see that it is flat, cancel the legs
    life      a life of the reconciler alone, whose state is only in memory
    trial     a scripted session of the smallest size: enter, be protected, close, be flat

Whatever is done here is found by the next start of a daemon as what a lost store has left: orders
with our labels, which it adopts.
"""
