"""Hostile frames: whatever arrives becomes a value, and nothing raises.

Frames are built from the exchange's own messages (the sample book) by cutting, flipping, swapping
and retyping parts, and from arbitrary text. Whole sessions are decoded too, so that one bad frame
cannot spoil the next.
"""

import json
from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from chaos.fuzz import campaign
from tradebaas.core.model import ContractKind
from tradebaas.deribit import convert, rpc, stream, wire
from tradebaas.deribit.convert import CANNOT_READ, Contracts
from tradebaas.deribit.histories import read_orders

FRAMES = campaign.SAMPLES.read_text(encoding="utf-8").splitlines()
RESULTS = [json.loads(frame)["result"] for frame in FRAMES if "result" in json.loads(frame)]
NOTES = [json.loads(frame)["params"] for frame in FRAMES if '"subscription"' in frame]

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["market_price", "NaN", "Infinity", "1e999999999", "buy", "zero", "BTC"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@st.composite
def mutated(draw: st.DrawFn, sample: object) -> object:
    """The sample with a few of its parts dropped or replaced by something else."""
    if isinstance(sample, dict):
        kept: dict[str, object] = {}
        for key, value in sample.items():
            match draw(st.integers(0, 12)):
                case 0:
                    continue
                case 1:
                    kept[key] = draw(JSON)
                case _:
                    kept[key] = draw(mutated(value))
        return kept
    if isinstance(sample, list):
        return [draw(mutated(item)) for item in sample]
    return draw(JSON) if draw(st.integers(0, 20)) == 0 else sample


class Sent(msgspec.Struct):
    params: dict[str, Decimal]


def take(frame: str | bytes) -> object:
    """All that the link's reader does to a frame."""
    found = rpc.decode(frame)
    return stream.decode(found, Contracts()) if isinstance(found, rpc.Notification) else found


def cut(frame: str, at: int, by: bytes) -> bytes:
    raw = frame.encode()
    place = at % len(raw)
    return raw[:place] + by + raw[place + len(by) :]


@given(st.binary() | st.text())
@example(b"\xed\xa0\x80")
@example("9" * 5000)
@example('{"id":1,"result":' + "[" * 3000)
def test_any_bytes_and_any_text(frame: str | bytes) -> None:
    assert isinstance(take(frame), rpc.Garbage)


@given(st.sampled_from(FRAMES), st.integers(min_value=0), st.binary(max_size=4))
def test_frames_with_flipped_bytes(frame: str, at: int, by: bytes) -> None:
    take(cut(frame, at, by))
    take(frame.encode()[: at % len(frame)])


@given(st.data())
def test_frames_with_other_parts(data: st.DataObject) -> None:
    sample = json.loads(data.draw(st.sampled_from(FRAMES)))
    take(json.dumps(data.draw(mutated(sample))))


@given(st.data())
def test_notifications_with_other_parts(data: st.DataObject) -> None:
    params = data.draw(st.sampled_from(NOTES))
    body = json.dumps(data.draw(mutated(params["data"])))
    note = rpc.Notification(channel=params["channel"], data=Raw(body.encode()), raw=body)
    item = stream.decode(note, Contracts())
    if isinstance(item, stream.Unreadable):
        assert item.raw == body
    stream.stamp_ms(item)


def readers() -> list[Callable[[Raw], object]]:
    inverse = ContractKind.INVERSE
    return [
        read_orders,
        lambda raw: convert.instrument(wire.parse(raw, wire.Instrument)),
        lambda raw: convert.ticker(wire.parse(raw, wire.Ticker)),
        lambda raw: convert.candles(wire.parse(raw, wire.Chart), inverse),
        lambda raw: convert.account(wire.parse(raw, wire.Summary)),
        lambda raw: convert.order(wire.parse(raw, wire.Placed).order),
        lambda raw: convert.bundle((), wire.parse(raw, list[wire.Trade]), Contracts()),
        lambda raw: [
            convert.trigger_entry(e) for e in wire.parse(raw, wire.TriggerHistory).entries
        ],
        lambda raw: convert.position(wire.parse(raw, wire.Position), inverse),
    ]


@given(st.data())
def test_results_with_other_parts_raise_only_what_calls_catch(data: st.DataObject) -> None:
    """``calls.understand`` turns exactly these into ``Garbled``; another exception would crash."""
    result = data.draw(mutated(data.draw(st.sampled_from(RESULTS))))
    raw = Raw(json.dumps(result).encode())
    for reader in readers():
        try:
            reader(raw)
        except CANNOT_READ:
            continue


@given(st.lists(st.sampled_from(FRAMES) | st.text(max_size=20), max_size=20))
def test_a_bad_frame_does_not_spoil_the_next(frames: list[str]) -> None:
    assert [take(frame) for frame in frames] == [take(frame) for frame in frames]
    known = [frame for frame in frames if frame in FRAMES and '"error"' in frame]
    assert all(isinstance(take(frame), rpc.Failure) for frame in known)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=0, max_value=10**12))
def test_decimals_survive_the_wire_exactly(number: Decimal) -> None:
    frame = rpc.encode(1, "m", {"amount": number})
    amount = msgspec.json.decode(frame, type=Sent).params["amount"]
    assert amount == number
