"""The candle file: read whole, or refused at a named place."""

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from tradebaas.paper.candles import CandleFileError, read_candles

HEADER = "timestamp,open,high,low,close,volume"
FIRST = "2022-01-01 00:01:00,100,101.5,99,101,5000"
SECOND = "2022-01-01 00:02:00.000000,101,102,100,100.5,2300413.7295"


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_plain_and_gzipped_files_give_the_same_candles(tmp_path: Path) -> None:
    plain = write(tmp_path / "c.csv", HEADER, FIRST, SECOND)
    packed = tmp_path / "c.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    opened_ms, candles = read_candles(plain)
    assert read_candles(packed) == (opened_ms, candles)
    assert opened_ms == 1_640_995_200_000
    assert candles[1].close == Decimal("100.5")
    assert candles[1].cost == Decimal("2300413.7295")


@pytest.mark.parametrize(
    "rows, place",
    [
        (["timestamp,open,high,low,volume", FIRST], "row 1: missing column close"),
        ([HEADER], "no candles"),
        ([HEADER, FIRST.replace("101.5", "abc")], "row 2, column high: 'abc' is not a number"),
        ([HEADER, FIRST.replace("101.5", "nan")], "row 2, column high: 'nan' is not a finite"),
        ([HEADER, FIRST.replace(",100,", ",,")], "row 2, column open: empty"),
        ([HEADER, "2022-01-01 00:01:00,100"], "row 2, column high: empty"),
        ([HEADER, FIRST.replace("101.5", "98")], "row 2, column high: high 98 is below low 99"),
        ([HEADER, FIRST.replace(",101,", ",103,")], "row 2, column close: 103 is outside"),
        ([HEADER, FIRST.replace(",99,", ",0,")], "row 2, column low: price 0 is not above zero"),
        ([HEADER, FIRST.replace("5000", "-1")], "row 2, column volume: -1 is below zero"),
        ([HEADER, FIRST, FIRST], "row 3, column timestamp: time does not increase"),
        ([HEADER, FIRST, SECOND.replace("02:00", "05:00")], "row 3, column timestamp: gap of 3"),
        ([HEADER, FIRST.replace("01:00", "01:30")], "row 2, column timestamp: "),
        ([HEADER, FIRST.replace("101.5", "1e400")], "row 2, column high: 1E+400 is outside"),
        ([HEADER, FIRST.replace(",99,", ",1e-400,")], "row 2, column low: 1E-400 is outside"),
        ([HEADER, FIRST.replace("5000", "1e13")], "row 2, column volume: 1E+13 is outside"),
        ([HEADER, FIRST + ",7"], "row 2, column 7: there are only 6 columns"),
        ([HEADER, FIRST.replace("2022", "0001")], "row 2, column timestamp: "),
        ([HEADER, "soon,1,1,1,1,1"], "row 2, column timestamp: 'soon' is not a time"),
    ],
)
def test_a_bad_file_is_refused_by_place(tmp_path: Path, rows: list[str], place: str) -> None:
    path = write(tmp_path / "bad.csv", *rows)
    with pytest.raises(CandleFileError) as caught:
        read_candles(path)
    assert str(path) in str(caught.value)
    assert place in str(caught.value)


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(f"{HEADER}\n{FIRST}\n".encode())[:-9])
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (cut, binary, tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CandleFileError, match="cannot be read"):
            read_candles(path)
