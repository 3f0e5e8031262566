"""Reads what strace wrote, and proves from it that what was promised had been synced before.

A promise (an HTTP answer, an entry order on the wire) names an event of the log by its digest, 32
bytes that occur nowhere else. It was durable if the write to the write-ahead log that first held
those bytes was followed by an fdatasync of that file, begun after the write had ended and finished
with success before the promise began to leave. Order is the order of lines in the trace: strace
stops the traced thread at each call's entry and exit. Pure: text in, verdicts out.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

WAL_SUFFIX = "-wal"
SYNCS = ("fdatasync", "fsync")
WRITES = ("pwrite64", "write")
SENDS = ("sendto", "sendmsg", "write")

_LINE = re.compile(r"^(\d+)\s+(.*)$")
_CALL = re.compile(r"^(\w+)\((\d+)<(.*?)>(?:, |\)| <unfinished|$)")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>")
_RESULT = re.compile(r"= (-?\d+)[^=]*$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(?:\.\.\.)?')


@dataclass(slots=True)
class Call:
    """A system call on a file or socket. ``begin`` and ``end`` are line numbers of the trace.

    ``result`` is None for a call that never returned. ``cut`` says that strace did not show all.
    """

    thread: int
    name: str
    target: str
    data: bytes
    begin: int
    end: int
    result: int | None = None
    cut: bool = False


def parse(lines: Iterable[str]) -> list[Call]:
    """The calls of a trace made with ``-f -yy -xx``, by their begin."""
    calls: list[Call] = []
    pending: dict[tuple[int, str], Call] = {}
    for number, line in enumerate(lines):
        match = _LINE.match(line)
        if match is None:
            continue
        thread, text = int(match[1]), match[2]
        resumed = _RESUMED.match(text)
        if resumed is not None:
            call = pending.pop((thread, resumed[1]), None)
            if call is not None:
                call.end, call.result = number, _result(text)
            continue
        call = _begun(thread, text, number)
        if call is None:
            continue
        calls.append(call)
        if text.rstrip().endswith("<unfinished ...>"):
            pending[thread, call.name] = call
        else:
            call.result = _result(text)
    return calls


def _begun(thread: int, text: str, number: int) -> Call | None:
    match = _CALL.match(text)
    if match is None:
        return None
    strings = _STRING.findall(text, match.end())
    data = b"".join(bytes.fromhex(part.replace("\\x", "")) for part in strings)
    return Call(thread, match[1], _plain(match[3]), data, number, number, cut='"...' in text)


def _plain(target: str) -> str:
    """A file's name or a socket's addresses, which ``-xx`` may have written in hexadecimal."""
    if "\\x" not in target:
        return target
    return bytes.fromhex(target.replace("\\x", "")).decode(errors="replace")


def _result(text: str) -> int | None:
    match = _RESULT.search(text)
    return int(match[1]) if match else None


# --------------------------------------------------------------------------------------- the proof


@dataclass(frozen=True, slots=True)
class Promised:
    """Something that left the process, and the digest of the event that it promises."""

    what: str
    digest: bytes
    sent: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """``flaw`` is "" when the promise was durable before it left."""

    promised: Promised
    flaw: str
    written: int = -1
    synced: int = -1


def judge(calls: list[Call], promises: Iterable[Promised]) -> list[Verdict]:
    """Whether each promise was on disk before it left."""
    wal = [call for call in calls if call.target.endswith(WAL_SUFFIX)]
    writes = [call for call in wal if call.name in WRITES]
    syncs = [call for call in wal if call.name in SYNCS and call.result == 0]
    return [_judge_one(writes, syncs, promised) for promised in promises]


def _judge_one(writes: list[Call], syncs: list[Call], promised: Promised) -> Verdict:
    written = next((call for call in writes if promised.digest in call.data), None)
    if written is None:
        return Verdict(promised, "its event was never written to the write-ahead log")
    synced = next((call for call in syncs if call.begin > written.end), None)
    if synced is None:
        return Verdict(promised, "its event was never synced", written.end)
    if synced.end >= promised.sent:
        flaw = f"it left at line {promised.sent}, its event was synced at line {synced.end}"
        return Verdict(promised, flaw, written.end, synced.end)
    return Verdict(promised, "", written.end, synced.end)


# ------------------------------------------------------------------------------------- the sockets


@dataclass(slots=True)
class Stream:
    """All bytes that were sent on a socket, and at which line each part began to leave."""

    data: bytearray = field(default_factory=bytearray)
    starts: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, call: Call) -> None:
        self.starts.append(len(self.data))
        self.lines.append(call.begin)
        # What was not taken is sent again by a later call.
        taken = len(call.data) if call.result is None else max(call.result, 0)
        self.data += call.data[:taken]

    def line_of(self, offset: int) -> int:
        """The line at which the byte at ``offset`` began to leave."""
        return self.lines[bisect_right(self.starts, offset) - 1]


def streams(calls: Iterable[Call]) -> dict[str, Stream]:
    """The sent bytes by socket."""
    found: dict[str, Stream] = {}
    for call in calls:
        if call.name in SENDS and call.target.startswith("TCP"):
            found.setdefault(call.target, Stream()).add(call)
    return found


def websocket_texts(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """(line, payload) of each text frame that a client sent after its upgrade (RFC 6455)."""
    at = stream.data.find(b"\r\n\r\n") + 4
    while at + 2 <= len(stream.data):
        start, opcode = at, stream.data[at] & 0x0F
        length, masked = stream.data[at + 1] & 0x7F, stream.data[at + 1] & 0x80
        at += 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(stream.data[at : at + size])
            at += size
        key = bytes(stream.data[at : at + 4]) if masked else bytes(4)
        at += 4 if masked else 0
        payload = stream.data[at : at + length]
        at += length
        if opcode == 1:
            yield stream.line_of(start), bytes(b ^ key[i % 4] for i, b in enumerate(payload))
