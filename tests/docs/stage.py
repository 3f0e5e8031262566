"""Plays the script of a page in a copy of the project, in namespaces of its own.

Needs root, as tests/system does. Nothing that a page writes, serves or kills is seen outside.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from re import Pattern

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("inside.sh")
UNSHARE = ("unshare", "--fork", "--kill-child", "--pid", "--mount", "--net")
HOSTS = "127.0.0.1 localhost test.deribit.com\n"
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a page: whether all its commands did what they say, and what was printed."""

    whole: bool
    missing: tuple[str, ...]
    said: str


def play(home: Path, script: str, answers: str, wanted: Sequence[Pattern[str]],
         limit_s: float) -> Played:  # fmt: skip
    """Play a script, with ``answers`` on its standard input, until all its commands are done and
    something was printed that fits each of ``wanted``, or until a command fails or time is over."""
    said = home / "said"
    _lay(home)
    output = said / "page"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*UNSHARE, "bash", str(INSIDE), str(home / "tree"), sys.prefix, str(home / "hosts"),
             str(_written(home / "page.sh", script))],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out, env=_environment(home),
            start_new_session=True,
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(answers.encode())
    process.stdin.close()
    until = time.monotonic() + limit_s
    missing, done = tuple(wanted), False
    while process.poll() is None and time.monotonic() < until and not (done and not missing):
        time.sleep(POLL_S)
        text = _all_said(said)
        missing = tuple(pattern for pattern in missing if not pattern.search(text))
        done = "every command was played" in text
    process.kill()
    process.wait()
    return Played(done, tuple(pattern.pattern for pattern in missing), _all_said(said))


def _lay(home: Path) -> None:
    """The copy of the project, and what else the script needs."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (home / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, home / "tree" / name)
    (home / "said").mkdir()
    _written(home / "hosts", HOSTS)
    _written(home / ".curlrc", "fail\nsilent\nshow-error\n")  # a refusal is a failure


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _environment(home: Path) -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "PATH": path, "HOME": str(home), "said": str(home / "said"), "LC_ALL": "C.UTF-8",
        "PYTHON": sys.executable, "COLUMNS": "120",
    }  # fmt: skip


def _all_said(said: Path) -> str:
    files = [said / "page", *sorted(said.glob("served.*"))]
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
