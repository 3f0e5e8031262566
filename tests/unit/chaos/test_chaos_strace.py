"""The trace is read as strace writes it, and a promise that left too early is found."""

import pytest

from chaos.real.processes import Point
from chaos.real.strace import Promised, Stream, judge, parse, streams, websocket_texts

DIGEST = bytes(range(32))
WAL = "\\x2f\\x78\\x2d\\x77\\x61\\x6c"  # /x-wal


def hexed(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


WRITE = f'7 pwrite64(9<{WAL}>, "{hexed(b"page" + DIGEST)}", 36, 0) = 36'
SYNC = f"7 fdatasync(9<{WAL}>) = 0"
SEND = f'5 sendto(4<TCP:[127.0.0.1:1->127.0.0.1:2]>, "{hexed(b"ok")}", 2, 0, NULL, 0) = 2'
OTHER = f'7 pwrite64(9<{WAL}>, "{hexed(b"other")}", 5, 0) = 5'
BEGUN = f"7 fdatasync(9<{WAL}> <unfinished ...>"
ENDED = "7 <... fdatasync resumed>) = 0"
FAILED = "7 <... fdatasync resumed>) = -1 EIO (Input/output error)"


def flaw(*lines: str) -> str:
    calls = parse(lines)
    sent = next(call.begin for call in calls if call.name == "sendto")
    (verdict,) = judge(calls, [Promised("answer", DIGEST, sent)])
    return verdict.flaw


@pytest.mark.parametrize(
    "lines", [(WRITE, SYNC, SEND), (WRITE, BEGUN, ENDED, SEND), (SYNC, WRITE, OTHER, SYNC, SEND)]
)
def test_a_promise_after_the_sync_of_its_event_is_sound(lines: tuple[str, ...]) -> None:
    assert flaw(*lines) == ""


@pytest.mark.parametrize(
    "lines, words",
    [
        ((SEND, WRITE, SYNC), "it left at line 0"),
        ((WRITE, SEND, SYNC), "it left at line 1"),
        ((WRITE, BEGUN, SEND, ENDED), "it left at line 2"),
        ((SYNC, WRITE, SEND), "never synced"),
        ((BEGUN, WRITE, ENDED, SEND), "never synced"),
        ((WRITE, BEGUN, FAILED, SEND), "never synced"),
        ((WRITE, BEGUN, SEND), "never synced"),
        ((OTHER, SYNC, SEND), "never written"),
    ],
)
def test_a_promise_before_the_sync_of_its_event_is_found(
    lines: tuple[str, ...], words: str
) -> None:
    assert words in flaw(*lines)


def test_lines_that_are_no_calls_on_files_are_passed_over() -> None:
    assert parse(["7 +++ exited with 0 +++", "nonsense", "7 --- SIGTERM ---"]) == []


def test_text_on_a_socket_is_found_across_calls_and_partial_sends() -> None:
    target = "TCP:[127.0.0.1:1->127.0.0.1:2]"
    parts = [(b"abcdef", 4), (b"ef", 2), (b"gh", 2)]
    lines = [
        f'5 sendto(4<{target}>, "{hexed(data)}", {len(data)}, 0, NULL, 0) = {taken}'
        for data, taken in parts
    ]
    stream = streams(parse(lines))[target]
    assert bytes(stream.data) == b"abcdefgh"
    assert [stream.line_of(n) for n in (0, 3, 4, 6)] == [0, 0, 1, 2]


@pytest.mark.parametrize("size", [5, 300])
def test_masked_frames_are_read_back(size: int) -> None:
    key, text = b"\x01\x02\x03\x04", b"x" * size
    masked = bytes(b ^ key[i % 4] for i, b in enumerate(text))
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    stream = Stream(bytearray(b"GET / HTTP/1.1\r\n\r\n"), [0], [3])
    stream.starts.append(len(stream.data))
    stream.lines.append(8)
    stream.data += b"\x81" + length + key + masked
    assert list(websocket_texts(stream)) == [(8, text)]


def test_strace_is_told_to_kill_at_the_nth_call(tmp_path: object) -> None:
    from pathlib import Path

    command = Point("fdatasync", 3).command(Path("/t"))
    assert "inject=fdatasync:signal=KILL:when=3" in command
    assert command[-1] == "--"
