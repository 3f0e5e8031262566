"""What a transcript keeps of a conversation, and what it must never keep."""

import json

import msgspec
import pytest

from tradebaas.deribit import transcript
from tradebaas.deribit.rpc import encode, text_of
from tradebaas.deribit.transcript import IN, OUT, Recorder

SECRETS = {"client_id": "KEY", "client_secret": "S3CRET", "refresh_token": "R3FRESH"}


def recorded(*said: tuple[str, str]) -> list[str]:
    lines: list[str] = []
    recorder = Recorder(lines.append, lambda: 5.0, ("S3CRET", ""))
    recorder.begin("trial", {"instrument": "BTC-PERPETUAL"})
    for way, text in said:
        recorder(way, text)
    return lines


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_replaced_wherever_it_is(name: str) -> None:
    value = SECRETS[name]
    deep = {"params": {"a": [{name: value}], "b": {"c": {name: value}}}}
    lines = recorded((OUT, json.dumps({"id": 7, **deep})), (IN, json.dumps({"result": deep})))
    assert value not in "".join(lines)
    assert "".join(lines).count("***") == 4


def test_a_secret_is_replaced_in_words_too() -> None:
    lines = recorded(("closed", "the key S3CRET is refused"), (IN, '{"error":"S3CRET?"}'))
    assert "S3CRET" not in "".join(lines)


def test_the_number_of_a_call_stays_and_that_of_an_account_goes() -> None:
    frame = '{"id":42,"result":{"id":4711,"username":"me","user_id":9,"email":null}}'
    assert json.loads(text_of(transcript.safe(frame))) == {
        "id": 42,
        "result": {"id": 1, "username": "***", "user_id": 1, "email": None},
    }


def test_numbers_are_kept_digit_by_digit() -> None:
    frame = '{"result":{"a":0.30000000000000004,"b":1.50,"c":12345678901234567890.5,"d":-0.0}}'
    assert text_of(transcript.safe(frame)) == frame


def test_what_is_no_json_is_counted_and_not_kept() -> None:
    lines = recorded((IN, '{"refresh_token":"R3FRESH"'), (IN, '["R3FRESH"]'))
    assert "R3FRESH" not in "".join(lines)
    assert "an unreadable frame of 26 characters" in lines[1]


def test_a_transcript_can_be_read_again() -> None:
    request = encode(3, "private/buy", {"amount": 10, "valid_until": 17})
    head, lines = transcript.read("".join(recorded(("connect", "ws://x"), (OUT, request))))
    assert (head.session, head.about) == ("trial", {"instrument": "BTC-PERPETUAL"})
    assert [(line.at, line.way, line.text) for line in lines] == [
        (0.0, "connect", "ws://x"),
        (0.0, OUT, ""),
    ]
    assert text_of(lines[1].frame) == request
    assert json.loads(text_of(transcript.steady(lines[1].frame)))["params"] == {
        "amount": 10,
        "valid_until": 0,
    }


def test_a_transcript_of_another_version_is_refused() -> None:
    (head,) = recorded()
    with pytest.raises(msgspec.ValidationError, match="version 2"):
        transcript.read(head.replace('"transcript":1', '"transcript":2'))
