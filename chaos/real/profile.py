"""A profile: which faults are drawn how often, how the daemon is started, and which ends are right.

Profiles are TOML files under ``chaos/profiles``. Each section ``[faults.NAME]`` names a row of the
table of faults, with its weight and the ends that are right for it; ``[start]`` says what the
daemon is put on. An unknown key or name is refused with the nearest known one. Reads files, starts
nothing.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from chaos.real.fault import End, Fault, Need

PROFILES = Path(__file__).resolve().parents[1] / "profiles"
FASTEST = 300.0
"""The fastest that the exchange paces."""
FileSystem = Literal["", "tmpfs", "ext4"]
WORDS: dict[str, tuple[str, ...]] = {"ends": tuple(End), "filesystem": get_args(FileSystem)}
"""The keys that take words of a list, with their lists."""
Shape = TypeVar("Shape", bound=Struct)


class BadProfile(Exception):
    """The profile cannot be used; the message says what is wrong, where, and what is right."""


class Start(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the daemon is put on, as far as the machine permits it.

    ``filesystem`` "" is where the campaign's directory lies, "tmpfs" and "ext4" one of its own, of
    ``megabytes``. ``relay`` stands between daemon and exchange. ``watchdog_seconds`` 0 is none.
    ``faketime`` gives daemon and exchange a wall clock each, ``memory_group`` the daemon a memory
    control group, ``namespace`` puts everything into a network of its own. ``speed`` is the
    exchange's.
    """

    filesystem: FileSystem = ""
    megabytes: Annotated[int, Meta(ge=24, le=4096)] = 64
    relay: bool = False
    watchdog_seconds: Annotated[float, Meta(ge=0, le=600)] = 0.0
    faketime: bool = False
    memory_group: bool = False
    namespace: bool = False
    speed: Annotated[float, Meta(gt=0, le=FASTEST)] = FASTEST

    def gives(self) -> set[Need]:
        """The needs of faults that this start meets, where the machine permits it."""
        given = {
            Need.VOLUME: bool(self.filesystem),
            Need.EXT4: self.filesystem == "ext4",
            Need.RELAY: self.relay,
            Need.WATCHDOG: self.watchdog_seconds > 0,
            Need.FAKETIME: self.faketime,
            Need.MEMORY: self.memory_group,
            Need.NAMESPACE: self.namespace,
            Need.NETEM: self.namespace,
            Need.FIREWALL: self.namespace,
            Need.STRACE: True,
        }
        return {need for need, there in given.items() if there}


class FaultSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a fault is drawn, relative to the others, and which ends of it are right."""

    ends: Annotated[list[End], Meta(min_length=1)]
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole profile. ``about`` is for people, ``rounds`` how many are played unless told.

    ``owner`` lets the account's owner act while the daemon is down and disturb its wire while it
    is up. ``least_deaths`` is how many a campaign of at least ``rounds`` needs in each state.
    """

    about: str
    rounds: Annotated[int, Meta(ge=1)]
    faults: Annotated[dict[str, FaultSection], Meta(min_length=1)]
    start: Start = Start()
    owner: bool = False
    least_deaths: Annotated[int, Meta(ge=0)] = 0
    name: str = ""

    def cards(self) -> list[str]:
        """The names of the faults, each as often as it weighs."""
        return [name for name, fault in self.faults.items() for _ in range(fault.weight)]


def names(folder: Path = PROFILES) -> list[str]:
    """The profiles that there are."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, faults: Mapping[str, Fault], folder: Path = PROFILES) -> Profile:
    """Read the profile ``name``, or the file at that path.

    Raises:
        BadProfile: There is none, or it says something that means nothing.
    """
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadProfile(f"there is no profile {name!r}; {_near(name, names(folder))}") from None
    except IsADirectoryError:
        raise BadProfile(f"{path} is a directory; give a profile's TOML file") from None
    except OSError as error:
        why = f"{path} cannot be read ({error.strerror}); give a file that you may read"
        raise BadProfile(why) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadProfile(f"{path} is not UTF-8 in line {line}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"{path} is not valid TOML: {error}") from error
    return parse(raw, faults, str(path))


def parse(raw: Mapping[str, object], faults: Mapping[str, Fault], origin: str) -> Profile:
    """Check what a file says; see ``load``."""
    _refuse_unknown(raw, Profile, origin)
    start, sections = raw.get("start", {}), raw.get("faults", {})
    if isinstance(start, Mapping):
        _refuse_unknown(start, Start, f"{origin}: [start]")
    for name, section in sections.items() if isinstance(sections, Mapping) else ():
        if name not in faults:
            raise BadProfile(f"{origin}: there is no fault {name!r}; {_near(name, faults)}")
        if isinstance(section, Mapping):
            _refuse_unknown(section, FaultSection, f"{origin}: [faults.{name}]")
        _converted(section, FaultSection, origin, f"faults.{name}")  # here the fault has its name
    profile = _converted({**raw, "name": Path(origin).stem}, Profile, origin)
    _refuse_unmet(profile, faults, origin)
    return profile


def _converted(raw: object, shape: type[Shape], origin: str, key: str = "") -> Shape:
    try:
        return msgspec.convert(raw, shape, strict=False)
    except msgspec.ValidationError as error:
        raise BadProfile(f"{origin}: {_said(str(error), key)}") from error


def _refuse_unknown(raw: Mapping[str, object], shape: type[Struct], where: str) -> None:
    known = [field.name for field in msgspec.structs.fields(shape) if field.name != "name"]
    for key in raw:
        if key not in known:
            raise BadProfile(f"{where}: unknown key {key!r}; {_near(key, known)}")


def _refuse_unmet(profile: Profile, faults: Mapping[str, Fault], origin: str) -> None:
    given = profile.start.gives()
    for name in profile.faults:
        unmet = sorted(need for need in faults[name].needs if need not in given)
        if unmet:
            raise BadProfile(f"{origin}: {name} needs {unmet[0]}: say so in [start]")


def _near(name: str, known: Iterable[str]) -> str:
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(listed)}"


def _said(message: str, key: str) -> str:
    """A validation message with its key first: "faults.x.weight: Expected ..."."""
    match = re.fullmatch(r"(.*) - at `\$\.?(.*)`", message, re.DOTALL)
    said, under = (match[1], match[2]) if match else (message, "")
    known = [word or '""' for word in WORDS.get(re.sub(r".*\.|\[.*", "", under), ())]
    right = f"; known: {', '.join(known)}" if known else ""
    whole = ".".join(filter(None, (key, under)))
    return f"{whole}: {said}{right}" if whole else said
