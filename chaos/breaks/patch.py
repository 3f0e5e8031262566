"""Replaces one attribute of the real program, and insists that there is one to replace."""


def patch(target: object, name: str, value: object) -> None:
    """Set ``target.name``.

    Raises:
        LookupError: there is no such attribute: the program has changed and the breakage with it.
    """
    if not hasattr(target, name):
        raise LookupError(f"{target!r} has no {name!r} to break; bring the breakage up to date")
    setattr(target, name, value)
