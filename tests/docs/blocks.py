"""The commands of a page as a script: each runs as it stands, in order, in one shell.

A command that serves goes into the background, and the next one waits until it says that it
serves; the one of its kind before it is ended first. Every other command must succeed. A block that
is titled with a file's name becomes that file.
"""

import re
import shlex
from collections.abc import Iterator, Mapping

BLOCK = re.compile(r"^```(\w*)(?: title=\"(.*?)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A block: its language, the file that it is (if any), and what is in it."""
SERVES = {
    r"sh scripts/run\b|(\.venv/bin/)?tradebaas run\b": "HTTP on http://",
    r"(\.venv/bin/)?tradebaas exchange\b": "serving ",
    r"prometheus-alertmanager\b": "Listening on",
    r"prometheus\b": "Server is ready to receive web requests",
}
"""What a serving command begins with, and what it says when it serves."""
FUNCTIONS = """
serve() { # serve KIND WORDS COMMAND: in the background, instead of the one of its kind before it
    local pid log
    if [ -e "$said/$1.pid" ]; then
        pid=$(cat "$said/$1.pid")
        kill "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    fi
    log=$(mktemp "$said/served.XXXXXX")
    bash -c "exec $3" </dev/null >"$log" 2>&1 &
    pid=$!
    echo "$pid" >"$said/$1.pid"
    for _ in $(seq 1200); do
        if grep -q -- "$2" "$log"; then return 0; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    echo "it does not serve; it said:"
    cat "$log"
    return 1
}
"""
LAST = """
printf 'every command was played\\n'
until [ -e "$said/enough" ]; do sleep 0.05; done
"""


def blocks(text: str, *languages: str) -> list[str]:
    """The code blocks of a page that are in one of these languages."""
    return [body for language, _, body in BLOCK.findall(text) if language in languages]


def commands(block: str) -> Iterator[str]:
    """The commands of a block, each whole however many lines it takes."""
    whole = ""
    for line in block.splitlines():
        whole += line
        if whole.endswith("\\"):
            whole += "\n"
            continue
        if whole.strip() and not whole.lstrip().startswith("#"):
            yield whole
        whole = ""


def script(page: str, given: str, changed: Mapping[str, str]) -> str:
    """A bash script that does what a page says, and then waits until the file ``$said/enough`` is
    there. ``given`` runs before it; ``changed`` are commands that are played otherwise."""
    lines = [FUNCTIONS, given]
    for language, file, body in BLOCK.findall(page):
        if file:
            lines.append(f"printf %s {shlex.quote(body)} >{shlex.quote(file)}")
        for command in commands(body) if language == "sh" else ():
            played = changed.get(command, command)
            lines += [f"printf '%s\\n' {shlex.quote('$ ' + played)}", _played(played)]
    return "\n".join([*lines, LAST])


def _played(command: str) -> str:
    bare = re.sub(r"\s+#.*| &$", "", command).strip()
    for number, (begins, words) in enumerate(SERVES.items()):
        if re.match(begins, bare):
            return f"serve {number} {shlex.quote(words)} {shlex.quote(bare)}"
    return command


def shape(line: str) -> re.Pattern[str]:
    """What a line of a sample looks like: other numbers, the other side, ``...`` for anything."""
    text = re.escape(" ".join(line.split())).replace(r"\.\.\.", ".*").replace(r"\ ", " +")
    for either in (("buy", "sell"), ("long", "short")):
        text = re.sub(rf"\b{'|'.join(either)}\b", f"({'|'.join(either)})", text)
    return re.compile(re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", text))
