"""The units of a release in their place, and the command that leads to it."""

import shutil
from pathlib import Path

from tradebaas.service import places


def put(release: Path, before: Path | None) -> list[str]:
    """Install the units of a release; those that were written or removed.

    What only the release ``before`` had is removed; what is made by `systemctl edit` is not ours.
    """
    fresh = _units(release)
    changed = []
    for unit in fresh.values():
        place = places.UNITS / unit.name
        if not place.exists() or place.read_bytes() != unit.read_bytes():
            shutil.copyfile(unit, place)
            changed.append(unit.name)
    for name in sorted((_units(before) if before else {}).keys() - fresh.keys()):
        (places.UNITS / name).unlink(missing_ok=True)
        changed.append(name)
    return changed + _put_wrapper(release)


def _units(release: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted((release / "deploy" / "systemd").glob("*"))}


def _put_wrapper(release: Path) -> list[str]:
    wrapper = release / "deploy" / "tradebaas.sh"
    if not wrapper.exists() or (places.WRAPPER.exists() and not wrapper_is_ours()):
        return []
    if places.WRAPPER.exists() and places.WRAPPER.read_bytes() == wrapper.read_bytes():
        return []
    shutil.copyfile(wrapper, places.WRAPPER)
    places.WRAPPER.chmod(0o755)
    return [str(places.WRAPPER)]


def wrapper_is_ours() -> bool:
    """Whether the command that lies there is the one of an installation."""
    return places.WRAPPER.is_file() and str(places.CURRENT).encode() in places.WRAPPER.read_bytes()
