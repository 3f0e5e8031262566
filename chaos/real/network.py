"""A network of the campaign's own: the driver, and all that it starts, leaves the common one.

Only the calling thread moves, so this comes before anything that talks over TCP is started. Nothing
but loopback is there, which the kernel's means (netem, nftables) may then hurt without hurting
anybody else.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> Callable[[], None]:
    """Enter a new network with loopback up; the function returned goes back.

    Raises:
        OSError: It is not permitted.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _checked(_libc.unshare(CLONE_NEWNET))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)

    def leave() -> None:
        _checked(_libc.setns(home, CLONE_NEWNET))
        os.close(home)

    return leave


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
