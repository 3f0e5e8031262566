"""Frames out keep decimals exact; frames in never raise; the outbox keeps order."""

from decimal import Decimal

import pytest

from tradebaas.deribit.rpc import (
    Answer,
    Failure,
    Garbage,
    Heartbeat,
    Notification,
    Outbox,
    Priority,
    decode,
    encode,
    text_of,
)


@pytest.mark.parametrize("digits", ["0.1", "80500.50", "1E-8", "123456789012345678901234567890.1"])
def test_decimals_go_out_digit_by_digit(digits: str) -> None:
    frame = encode(7, "private/buy", {"amount": Decimal(digits)})
    assert frame == (
        f'{{"jsonrpc":"2.0","id":7,"method":"private/buy","params":{{"amount":{Decimal(digits)}}}}}'
    )


@pytest.mark.parametrize(
    "frame, reason",
    [
        ("", "truncated"),
        ("[]", "Expected `object`"),
        ("{", "truncated"),
        ("not json", "malformed"),
        ('{"result":1,"x":' + "[" * 100_000, "recursion"),
        ('{"a":' * 5_000, "recursion"),
        (b"\xff\xfe", "malformed"),
        ("{}", "names no call"),
        ('{"id":"x","result":1}', "names no call"),
        ('{"result":1}', "names no call"),
        ('{"id":1}', "either a result or an error"),
        ('{"id":1,"result":1,"error":{"code":1,"message":"x"}}', "either a result or an error"),
        ('{"method":"subscription","params":{"channel":"x"}}', "no known kind"),
        ('{"method":"subscription"}', "no known kind"),
        ('{"method":"heartbeat","params":{}}', "no known kind"),
        ('{"method":"news","params":{"channel":"x","data":1}}', "no known kind"),
        ('{"id":3,"error":17}', "got `int` - at `$.error`"),
        ('{"id":3,"result":1,"usIn":"soon"}', "usIn"),
    ],
)
def test_what_makes_no_sense_is_kept_raw(frame: str | bytes, reason: str) -> None:
    found = decode(frame)
    assert isinstance(found, Garbage)
    assert reason in found.reason
    assert found.raw == (frame if isinstance(frame, str) else frame.decode(errors="replace"))


def test_a_broken_answer_still_names_its_call() -> None:
    found = decode('{"id":3,"error":17}')
    assert isinstance(found, Garbage)
    assert found.id == 3


def test_answers_and_failures() -> None:
    answer = decode('{"x":[1],"id":2,"result":null,"usIn":1790000000123410.0,"usOut":null}')
    assert isinstance(answer, Answer)
    assert (answer.id, text_of(answer.result), answer.in_ms) == (2, "null", 1790000000123)
    failure = decode('{"id":2,"error":{"code":10004,"message":"order_not_found"}}')
    assert failure == Failure(id=2, code=10004, message="order_not_found")
    coded = decode('{"id":2,"error":{"code":11050,"message":"bad_request","data":"invalid json"}}')
    assert isinstance(coded, Failure)
    assert coded.data == '"invalid json"'


def test_unasked_frames() -> None:
    beat = '{"method":"heartbeat","params":{"type":"heartbeat"}}'
    assert decode(beat) == Heartbeat(wants_answer=False)
    raw = '{"method":"subscription","params":{"channel":"c","data":null,"label":"l"}}'
    note = decode(raw)
    assert isinstance(note, Notification)
    assert (note.channel, text_of(note.data), note.raw) == ("c", "null", raw)


def test_the_outbox_keeps_priority_and_order() -> None:
    outbox: Outbox[str] = Outbox()
    for priority, item in [
        (Priority.NORMAL, "a"), (Priority.NORMAL, "b"), (Priority.PROTECT, "c"),
        (Priority.HEARTBEAT, "d"), (Priority.PROTECT, "e"),
    ]:  # fmt: skip
        outbox.push(priority, item)
    assert list(outbox) == ["d", "c", "e", "a", "b"]
    assert outbox.take(lambda item: item == "e") == "e"
    assert outbox.take(lambda item: item == "e") is None
    assert [outbox.take(bool) for _ in range(len(outbox))] == ["d", "c", "a", "b"]
