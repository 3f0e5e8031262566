"""The layers, the doors and the sizes that DESIGN fixes, checked on the source text.

Each rule is a small function from a parsed file to complaints. The first half of this file is the
rules; then they are applied to the program; then each is shown to be able to fail.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "tradebaas"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# Room -> rooms that it may import. A room is a package or a module directly under tradebaas/.
# ``runtime`` drags trio in, so only files that may import trio may import it (TRIO_FILES).
BASE = {"__init__", "errors", "names", "words"}  # __init__ holds the version
TASKS = BASE | {"core", "store", "deribit", "strategies", "paper", "runtime", "config", "board"}
TASKS |= {"settings", "redact", "logs"}
# Parts of the shell that daemon.py has no room for.
SHELL = {"attendance", "bearer", "binding", "console", "embedded", "notices", "output", "reload"}
SHELL |= {"diskless", "front", "gaps", "parts", "threads", "unattended"}
COMMANDED = {"access", "actors", "audit", "direct", "lives", "web", "daemon", "backtest"}
COMMANDED |= {"service"}
LAYERS: dict[str, set[str]] = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "names": set(),
    "words": set(),
    "settings": set(),
    "redact": set(),
    "logs": {"redact", "settings"},
    "output": {"logs", "runtime", "settings"},
    "threads": {"core"},
    "config": {"errors", "settings"},
    "access": {"errors", "config"},
    "core": set(),
    "runtime": {"errors"},
    "store": BASE | {"core"},
    "deribit": BASE | {"core", "runtime"},
    "strategies": BASE | {"core"},
    "paper": BASE | {"runtime"},
    "audit": {"errors"},  # a second pair of eyes uses nothing of the first
    # puts the program in its place and knows nothing of it
    "service": {"__init__", "errors", "words"},
    "backtest": BASE | {"core", "store", "strategies", "paper", "config"},
    "board": BASE | {"core", "config", "runtime", "store"},
    "web": BASE | {"core", "config", "runtime", "board"},
    "actors": TASKS,
    "attendance": BASE | {"commands", "lives", "output", "runtime", "store"},
    "binding": TASKS | {"actors"},
    "reload": {"config"},
    "parts": BASE | {"output", "runtime"},
    "diskless": BASE | {"config", "direct", "lives", "output", "runtime", "store"},
    "front": TASKS | {"access", "bearer", "binding", "gaps", "lives", "output", "parts", "web"},
    "notices": TASKS | {"commands", "output"},
    "bearer": BASE | {"output", "runtime"},
    "console": BASE | {"core", "config", "board", "commands", "output", "runtime", "threads"},
    "embedded": BASE | {"access", "config", "runtime"},
    "lives": TASKS | {"actors"},
    "gaps": BASE | {"store", "runtime"},
    "unattended": BASE | {"core", "store", "runtime", "board", "output"},
    "daemon": TASKS | SHELL | {"access", "actors", "direct", "lives", "web"},
    "direct": TASKS | {"actors"},
    "commands": TASKS | SHELL | COMMANDED,
    "cli": TASKS | SHELL | COMMANDED | {"commands"},
}
TRIO_ROOMS = {"runtime", "board", "actors", "direct", "lives", "web", "daemon"}
TRIO_ROOMS |= {"cli", "commands"} | SHELL
TRIO_FILES = {f"deribit/{name}.py" for name in ("broken", "inbox", "link")} | {
    f"paper/{name}.py"
    for name in ("process", "server", "steps", "connections", "streams", "websockets", "http")
}
TRIO_LIBRARIES = {"trio", "trio_websocket", "quart_trio"}
CORE_LIBRARIES = {"msgspec"}

PORTS = "runtime/ports.py"
SUPERVISOR = "runtime/supervisor.py"
DOOR_MODULES = {"time", "random", "secrets", "socket", "threading", "uuid", "_thread", "asyncio"}
DOOR_MODULES |= {"concurrent.futures", "multiprocessing"}
DOOR_CALLS = {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"}
DOOR_CALLS |= {"datetime.date.today", "os.urandom", "os.getrandom"}
DOOR_CALLS |= {"trio.to_thread", "trio.from_thread", "trio.socket"}

DISK = "store/disk.py"
FILE_MODULES = {"os", "fcntl", "shutil", "io", "glob", "tempfile", "mmap", "sqlite3"}
FILE_METHODS = {"exists", "glob", "rglob", "is_dir", "is_file", "iterdir", "stat", "lstat", "open"}
FILE_METHODS |= {"chmod", "mkdir", "rmdir", "touch", "unlink", "rename", "replace", "resolve"}
FILE_METHODS |= {"read_bytes", "read_text", "write_bytes", "write_text"}


@dataclass(frozen=True)
class Source:
    """A parsed file. ``path`` is relative to the package (``core/model.py``)."""

    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.split("/", maxsplit=1)[0].removesuffix(".py")

    @property
    def package(self) -> list[str]:
        """The dotted package that relative imports start from."""
        return ["tradebaas", *self.path.split("/")[:-1]]


def parse(path: str, text: str) -> Source:
    return Source(path, text, ast.parse(text, filename=path))


Complaints = Iterator[tuple[int, str]]
Rule = Callable[[Source], Complaints]


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported, at any depth; ``from a import b`` gives a.b."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = source.package[: len(source.package) - node.level + 1] if node.level else []
            module = [*base, *([node.module] if node.module else [])]
            for alias in node.names:
                yield node.lineno, ".".join([*module, alias.name])


def is_of(name: str, modules: set[str]) -> bool:
    """Whether a dotted name is one of the modules or lies inside one."""
    return any(name == module or name.startswith(module + ".") for module in modules)


def uses(source: Source) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every name or attribute, with import aliases resolved."""
    aliases: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            aliases |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            aliases |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}

    def dotted(node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{dotted(node.value)}.{node.attr}"
        return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else "?"

    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield node.lineno, dotted(node)


def caught_by(node: ast.ExceptHandler | ast.Call) -> list[ast.expr] | list[None]:
    """The classes that an except clause or a ``suppress(...)`` catches; [None] if bare.

    A clause for BaseException whose last statement is a plain ``raise`` only cleans up: nothing.
    """
    if isinstance(node, ast.Call):
        return node.args if ast.unparse(node.func).endswith("suppress") else []
    if node.type is None:
        return [None]
    if ast.unparse(node.type) == "BaseException" and ast.unparse(node.body[-1]) == "raise":
        return []
    return node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]


def may_use_trio(source: Source) -> bool:
    return source.room in TRIO_ROOMS or source.path in TRIO_FILES


# --- the rules -----------------------------------------------------------------------------------


def layers(source: Source) -> Complaints:
    """Imports point one way."""
    allowed = LAYERS.get(source.room)
    if allowed is None:
        yield 1, f"room {source.room!r} is not in LAYERS: say what it may import"
        return
    for line, name in imports(source):
        parts = name.split(".")
        if parts[0] != "tradebaas":
            continue
        room = parts[1] if len(parts) > 1 and parts[1] in LAYERS else "__init__"
        if room not in allowed | {source.room}:
            yield line, f"{source.room} must not import {room} ({name})"


def pure_core(source: Source) -> Complaints:
    """``core`` needs nothing but the standard library and msgspec."""
    known = set(sys.stdlib_module_names) | CORE_LIBRARIES | {"tradebaas"}
    for line, name in imports(source):
        if source.room == "core" and name.split(".")[0] not in known:
            yield line, f"core must not import {name}"


def trio_where_allowed(source: Source) -> Complaints:
    """Only the rooms that run tasks know trio, directly or through ``runtime``."""
    if may_use_trio(source):
        return
    for line, name in imports(source):
        if is_of(name, TRIO_LIBRARIES | {"tradebaas.runtime"}):
            yield line, f"only tasks may import {name}: take values as arguments instead"


def doors(source: Source) -> Complaints:
    """Time, chance, threads and sockets come through ``runtime.ports`` alone."""
    if source.path == PORTS:
        return
    for line, name in imports(source):
        if is_of(name, DOOR_MODULES | DOOR_CALLS):
            yield line, f"only {PORTS} may import {name}"
    for line, name in uses(source):
        if name in DOOR_CALLS:
            yield line, f"only {PORTS} may use {name}"


def blind_catches(source: Source) -> Complaints:
    """Only the supervisor may catch what it does not know."""
    if source.path == SUPERVISOR:
        return
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler | ast.Call):
            continue
        for kind in caught_by(node):
            if kind is None:
                yield node.lineno, "bare except"
            elif ast.unparse(kind).removeprefix("builtins.") in {"Exception", "BaseException"}:
                yield node.lineno, f"catches {ast.unparse(kind)}: name the exception"


def files_through_the_disk(source: Source) -> Complaints:
    """The store touches files through ``store.disk`` alone, and so does its SQLite."""
    if source.room != "store" or source.path == DISK:
        return
    for line, name in imports(source):
        if is_of(name, FILE_MODULES):
            yield line, f"only {DISK} may import {name}"
    for node in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
        called = ast.unparse(node.func)
        if called == "open" or (called == "apsw.Connection" and len(node.args) < 3):
            yield node.lineno, f"{called} must be told which disk"
        if isinstance(node.func, ast.Attribute) and touches_a_file(node, node.func):
            yield node.lineno, f"{called}: ask the place's disk"


def touches_a_file(call: ast.Call, method: ast.Attribute) -> bool:
    """Whether it may be ``Path`` doing I/O: not a disk, a class of ours, a text's ``replace``."""
    if method.attr not in FILE_METHODS:
        return False
    owner = ast.unparse(method.value)
    if owner.lower().endswith("disk") or (owner[0].isupper() and not owner.startswith("Path")):
        return False
    return method.attr != "replace" or (len(call.args) == 1 and not call.keywords)


def sizes(source: Source) -> Complaints:
    """Files and functions that a person can hold in mind."""
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield 1, f"{lines} lines, more than {MAX_FILE_LINES}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield node.lineno, f"{node.name}: {length} lines, more than {MAX_FUNCTION_LINES}"


def has_header(source: Source) -> Complaints:
    """Every module says what it is for."""
    if not ast.get_docstring(source.tree):
        yield 1, "no module docstring"


PROGRAM_RULES: list[Rule] = [
    *(layers, pure_core, trio_where_allowed, doors, files_through_the_disk, blind_catches),
    *(sizes, has_header),
]
TOOL_RULES: list[Rule] = [sizes, has_header]  # chaos/ and bench/ face the real world directly


# --- the program ---------------------------------------------------------------------------------


def complaints(folder: Path, rules: list[Rule]) -> list[str]:
    found: list[str] = []
    for file in sorted(folder.rglob("*.py")):
        source = parse(file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8"))
        where = file.relative_to(ROOT)
        found += [f"{where}:{line}: {what}" for rule in rules for line, what in rule(source)]
    return found


def test_the_program_keeps_its_rules() -> None:
    assert len(list(SRC.rglob("*.py"))) > 5, f"no program found under {SRC}"
    assert not complaints(SRC, PROGRAM_RULES)


@pytest.mark.parametrize("folder", ["chaos", "bench"])
def test_the_tools_keep_their_sizes(folder: str) -> None:
    assert not complaints(ROOT / folder, TOOL_RULES)


# --- each rule can fail --------------------------------------------------------------------------

LONG_FUNCTION = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES

BROKEN: list[tuple[Rule, str, str]] = [
    (layers, "core/model.py", "from tradebaas.store import log"),
    (layers, "core/model.py", "import tradebaas.errors"),
    (layers, "core/model.py", "from tradebaas import errors"),
    (layers, "core/model.py", "from .. import errors"),
    (layers, "core/model.py", "from ..errors import Fatal"),
    (layers, "core/model.py", "def f():\n    from tradebaas.actors import persister"),
    (layers, "core/deep/model.py", "from ...store import log"),
    (layers, "paper/orders.py", "from tradebaas.core.model import Order"),
    (layers, "runtime/ports.py", "from tradebaas.core import model"),
    (layers, "store/log.py", "from tradebaas.deribit import session"),
    (layers, "strategies/cross.py", "from tradebaas.actors import strategy"),
    (layers, "actors/metrics.py", "from tradebaas.daemon import main"),
    (layers, "actors/metrics.py", "from tradebaas.web import api"),
    (layers, "web/api.py", "from tradebaas.store import log"),
    (layers, "daemon.py", "from tradebaas.cli import main"),
    (layers, "config.py", "from tradebaas.core import model"),
    (layers, "errors.py", "from tradebaas import config"),
    (layers, "unheard_of/x.py", "import os"),
    (pure_core, "core/model.py", "import numpy"),
    (pure_core, "core/model.py", "from trio.abc import Stream"),
    (trio_where_allowed, "store/log.py", "import trio"),
    (trio_where_allowed, "deribit/session.py", "from trio_websocket import WebSocketConnection"),
    (trio_where_allowed, "paper/matching.py", "from tradebaas.runtime.ports import Clock"),
    (trio_where_allowed, "backtest.py", "import trio.lowlevel"),
    (doors, "actors/metrics.py", "import time"),
    (doors, "runtime/mailbox.py", "from random import choice"),
    (doors, "web/api.py", "import secrets as s"),
    (doors, "daemon.py", "import socket"),
    (doors, "store/log.py", "import threading"),
    (doors, "core/model.py", "import uuid"),
    (doors, "store/log.py", "from concurrent.futures import ThreadPoolExecutor"),
    (doors, "core/model.py", "from datetime import datetime\nx = datetime.now()"),
    (doors, "core/model.py", "from datetime import datetime as D\nx = D.utcnow()"),
    (doors, "core/model.py", "import datetime as dt\nx = dt.datetime.now(dt.UTC)"),
    (doors, "core/model.py", "import datetime\nx = datetime.date.today()"),
    (doors, "store/log.py", "import os\nx = os.urandom(8)"),
    (doors, "store/log.py", "from os import urandom"),
    (doors, "actors/persister.py", "import trio\nx = trio.to_thread.run_sync"),
    (doors, "actors/persister.py", "from trio import to_thread"),
    (files_through_the_disk, "store/log.py", "import os"),
    (files_through_the_disk, "store/log.py", "size = place.db.stat().st_size"),
    (files_through_the_disk, "store/log.py", "from pathlib import Path\nPath('x').open()"),
    (files_through_the_disk, "store/restore.py", "temporary.replace(place.halt)"),
    (files_through_the_disk, "store/halt.py", "text = open('HALT').read()"),
    (files_through_the_disk, "store/copying.py", "import apsw\napsw.Connection(str(target))"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept:\n    pass"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept Exception:\n    raise"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept (OSError, BaseException) as e:\n    raise"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept BaseException:\n    print()"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept* Exception as e:\n    raise"),
    (blind_catches, "daemon.py", "import contextlib\nwith contextlib.suppress(Exception): f()"),
    (sizes, "daemon.py", "x = 1\n" * (MAX_FILE_LINES + 1)),
    (sizes, "daemon.py", LONG_FUNCTION),
    (sizes, "daemon.py", "class A:\n    async " + LONG_FUNCTION.replace("\n", "\n    ").rstrip()),
    (has_header, "daemon.py", "x = 1\n"),
]

SOUND: list[tuple[Rule, str, str]] = [
    (layers, "core/model.py", "from . import lifecycle\nfrom tradebaas.core import state"),
    (layers, "actors/persister.py", "from tradebaas.store import log\nimport tradebaas.core.model"),
    (layers, "cli.py", "from tradebaas import __version__, daemon"),
    (layers, "paper/server.py", "from tradebaas.runtime.ports import Ports"),
    (pure_core, "core/model.py", "import decimal\nimport msgspec\nfrom tradebaas.core import x"),
    (pure_core, "strategies/cross.py", "import numpy"),
    (trio_where_allowed, "deribit/link.py", "import trio\nfrom trio_websocket import connect"),
    (trio_where_allowed, "actors/metrics.py", "import trio"),
    (doors, PORTS, "import time, random, secrets, socket, threading"),
    (
        doors,
        "core/model.py",
        "from datetime import UTC, datetime\nx = datetime.fromtimestamp(0, UTC)",
    ),
    (doors, "core/model.py", "now = 1\ndef f(view): return view.now, view.time"),
    (doors, "actors/metrics.py", "import timeit2\nimport trio\nx = trio.current_time()"),
    (files_through_the_disk, DISK, "import os\nos.stat('x')"),
    (files_through_the_disk, "commands/check.py", "import shutil\npath.exists()"),
    (files_through_the_disk, "store/log.py", "place.disk.exists(wal)\nHeadFile.open(place)"),
    (files_through_the_disk, "store/lock.py", "s.replace(h, store=True)\nx.replace('a', 'b')"),
    (files_through_the_disk, "store/schema.py", "apsw.Connection(str(file), flags, vfs)"),
    (blind_catches, SUPERVISOR, "try:\n    f()\nexcept Exception:\n    raise"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept (OSError, ValueError):\n    raise"),
    (blind_catches, "daemon.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (sizes, "daemon.py", "x = 1\n" * MAX_FILE_LINES),
    (sizes, "daemon.py", "def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)),
    (has_header, "daemon.py", '"""What it is for."""\n'),
]


def name_of(case: object) -> str:
    return case.__name__ if callable(case) and hasattr(case, "__name__") else ""


@pytest.mark.parametrize("rule, path, text", BROKEN, ids=name_of)
def test_a_broken_source_is_complained_about(rule: Rule, path: str, text: str) -> None:
    assert list(rule(parse(path, text)))


@pytest.mark.parametrize("rule, path, text", SOUND, ids=name_of)
def test_a_sound_source_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(parse(path, text)))


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _, _ in BROKEN} == set(PROGRAM_RULES)


def test_complaints_name_file_and_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "bad.py").write_text('"""Bad."""\n\nimport time\n')
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert complaints(tmp_path, PROGRAM_RULES) == [
        "core/bad.py:3: only runtime/ports.py may import time"
    ]
