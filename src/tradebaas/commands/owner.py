"""Root typed it, but the directory is somebody else's: then the command is done as that somebody.

A service's user cannot log in, so people command its daemon as root. What root made or replaced in
its directory, the daemon could not open; as the owner, nothing else than its own can come of it.
"""

import os
import pwd
from contextlib import suppress
from pathlib import Path

from tradebaas.errors import Unusable

UMASK = 0o077
"""As in the units: nobody else reads what is made here."""


def become_owner(directory: Path) -> None:
    """Be the owner of ``directory`` from here on, if this is root and it has another one.

    Whatever root alone can read must be read before.

    Raises:
        Unusable: That cannot be, or the owner cannot get to the directory.
    """
    try:
        facts = directory.stat()
    except OSError:
        return  # nothing is there, so it is root's own
    if os.geteuid() or not facts.st_uid:
        return
    name, group, groups = str(facts.st_uid), facts.st_gid, [facts.st_gid]
    with suppress(KeyError):  # a user that systemd made up has no entry once its unit is down
        entry = pwd.getpwuid(facts.st_uid)
        name, group = entry.pw_name, entry.pw_gid
        groups = os.getgrouplist(name, group)
    try:
        os.setgroups(groups)
        os.setgid(group)
        os.setuid(facts.st_uid)
    except PermissionError as error:
        raise Unusable(
            f"{directory} belongs to {name}, and this root may not act as another user "
            f"({error.strerror}): run this as {name}"
        ) from error
    os.umask(UMASK)
    if not os.access(directory.absolute(), os.R_OK | os.X_OK):
        raise Unusable(
            f"{directory} belongs to {name}, who cannot get there from outside its unit: let "
            f"{name} into the directories above it, or move it to where {name} can"
        )
