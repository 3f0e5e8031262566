"""How a line is written, what is held back, and that no secret passes."""

import json

import pytest

from tradebaas.logs import (
    SAME,
    SAME_S,
    SHAPES,
    Line,
    Log,
    as_journal,
    as_json,
    as_stream,
    as_text,
    form_of,
)
from tradebaas.settings import LogSection

EVENT = Line(
    text="  recovered, or not", level="warning", fields={"seq": 7, "signal": "ab"}, at_ms=1_500
)
TWO = Line(text="died of\nboth", level="error")


def written(log: Log, text: str, now: float = 0.0, level: str = "info", **fields: str) -> str:
    line = log.line(text, level, fields, now, 0)
    return "" if line is None else line.text


def test_a_line_in_each_form() -> None:
    assert as_text(EVENT) == "      7    recovered, or not"
    assert as_text(TWO) == "died of\nboth"
    assert json.loads(as_json(EVENT)) == {
        "at": "1970-01-01T00:00:01.500+00:00", "level": "warning", "message": "recovered, or not",
        "seq": 7, "signal": "ab",
    }  # fmt: skip
    assert "\n" not in as_json(TWO)
    assert as_stream(TWO) == "<3>died of\n<3>both"


def test_the_journals_own_protocol() -> None:
    assert as_journal(EVENT) == (
        b"MESSAGE=recovered, or not\nPRIORITY=4\nSYSLOG_IDENTIFIER=tradebaas\n"
        b"TRADEBAAS_SEQ=7\nTRADEBAAS_SIGNAL=ab\n"
    )
    assert as_journal(TWO).startswith(b"MESSAGE\n\x0c\0\0\0\0\0\0\0died of\nboth\nPRIORITY=3\n")


@pytest.mark.parametrize(
    "level, seen",
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(level: str, seen: list[str]) -> None:
    log = Log()
    log.set_level(level)
    levels = ("debug", "info", "warning", "error")
    assert [one for one in levels if written(log, "x", level=one)] == seen


def test_lines_that_repeat_are_held_back_and_counted() -> None:
    log = Log()
    lines = [written(log, f"not connected: try {number}") for number in range(SAME + 5)]
    assert [bool(line) for line in lines] == [True] * SAME + [False] * 5
    assert written(log, "something else")
    late = written(log, "not connected: try 99", SAME_S)
    assert late == "not connected: try 99 (5 more like this were left out)"
    assert written(log, "not connected: try 100", SAME_S + 1) == "not connected: try 100"


def test_what_is_about_an_order_or_a_signal_is_always_written() -> None:
    log = Log()
    for number in range(SAME * 3):
        assert written(log, f"entry filled: {number}", order="tb1-x-1-e")
        assert written(log, f"signal dropped: {number}", signal="ab")


def test_shapes_are_not_remembered_for_ever() -> None:
    log = Log()
    for number in range(SHAPES * 2):
        written(log, "x" * number)
    assert len(log._shapes) <= SHAPES


def test_no_secret_passes_in_words_or_fields() -> None:
    log = Log()
    log.secrets.add("hunter2-and-more")
    line = log.line("login with hunter2-and-more", "info", {"order": "hunter2-and-more"}, 0, 0)
    assert line is not None
    for form in (as_text, as_json, as_stream):
        assert "hunter2" not in form(line)
    assert b"hunter2" not in as_journal(line)


def test_the_form_is_the_journals_only_where_the_output_goes_there() -> None:
    assert form_of(LogSection(), {}) == "console"
    assert form_of(LogSection(), {"JOURNAL_STREAM": "1:2"}) == "console"
    assert form_of(LogSection(format="json"), {"JOURNAL_STREAM": "1:2"}) == "json"
