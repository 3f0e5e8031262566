"""What of a new configuration a running daemon takes, and what waits for a restart. Pure.

Only what it tells can change while it runs. Limits, keys and the strategy cannot: what is open was
admitted under them, and a restart is safe and takes a second.
"""

from msgspec.structs import fields, replace

from tradebaas.config import Config

RELOADED = ("notices", "log")
"""The sections that are taken."""


def taken(old: Config, new: Config) -> tuple[Config, str]:
    """The configuration from now on, and what to say about it."""
    config = replace(old, **{name: getattr(new, name) for name in RELOADED})
    changed = [name for name in RELOADED if getattr(config, name) != getattr(old, name)]
    names = [field.name for field in fields(Config) if field.name not in RELOADED]
    left = [name for name in names if getattr(new, name) != getattr(config, name)]
    words = f"the configuration was read again; taken: {_sections(changed)}"
    if left:
        words += f"; changed as well, but only a restart takes it: {_sections(left)}"
    return config, words


def _sections(names: list[str]) -> str:
    return ", ".join(f"[{name}]" for name in names) or "nothing, since nothing has changed there"
