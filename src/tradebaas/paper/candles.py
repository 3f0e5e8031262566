"""Reads a candle file: one-minute candles as CSV, plain or gzipped.

Columns ``timestamp,open,high,low,close,volume`` in any order; ``timestamp`` is the candle's CLOSE
in UTC (``YYYY-mm-dd HH:MM:SS`` with an optional fraction), volume is in USD. The file is refused
whole at the first fault, naming file, row (the line number, header = 1), column and what is wrong:
a market with a silent hole would make every figure drawn from it a guess.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zlib import error as ZlibError

import msgspec

from tradebaas.errors import ConfigError

MINUTE_MS = 60_000
MAX_ROWS = 1_000_000
PRICES = ("open", "high", "low", "close")
COLUMNS = ("timestamp", *PRICES, "volume")
YEARS = range(2000, 2100)
LOWEST_PRICE, HIGHEST_PRICE = Decimal("0.01"), Decimal(100_000_000)
HIGHEST_VOLUME = Decimal(1_000_000_000_000)
"""Beyond these a cell is a slip of the file, not a market."""


class Candle(msgspec.Struct, frozen=True, gc=False):
    """One minute of the market; prices in USD per BTC, ``cost`` is the traded volume in USD."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    cost: Decimal


class CandleFileError(ConfigError):
    """The candle file is missing, unreadable or wrong in a named place."""


def read_candles(path: Path) -> tuple[int, tuple[Candle, ...]]:
    """Return (open time of the first candle in ms, all candles, one a minute).

    Raises:
        CandleFileError: naming file, row, column and what is wrong.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            return _parse(path, csv.DictReader(lines))
    except (OSError, EOFError, ZlibError, UnicodeDecodeError) as error:
        raise CandleFileError(f"{path}: cannot be read as a CSV or CSV.gz file: {error}") from error
    except csv.Error as error:
        raise CandleFileError(f"{path}: not a CSV file: {error}") from error


def _parse(path: Path, rows: "csv.DictReader[str]") -> tuple[int, tuple[Candle, ...]]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise CandleFileError(
            f"{path}: row 1: missing column {', '.join(missing)}; the header must name "
            f"{','.join(COLUMNS)}"
        )
    width = len(rows.fieldnames or ())
    first_close: int | None = None
    candles: list[Candle] = []
    for row_number, row in _numbered(rows):
        try:
            _check_width(row, width)
            close_ms = _time(row)
            expected = None if first_close is None else first_close + len(candles) * MINUTE_MS
            _check_order(close_ms, expected)
            candles.append(_candle(row))
        except _CellError as fault:
            raise CandleFileError(
                f"{path}: row {row_number}, column {fault.column}: {fault.wrong}"
            ) from None
        if first_close is None:
            first_close = close_ms
        if len(candles) > MAX_ROWS:
            raise CandleFileError(f"{path}: more than {MAX_ROWS} rows; split the file")
    if first_close is None:
        raise CandleFileError(f"{path}: no candles below the header")
    return first_close - MINUTE_MS, tuple(candles)


class _CellError(Exception):
    def __init__(self, column: str, wrong: str) -> None:
        super().__init__(wrong)
        self.column = column
        self.wrong = wrong


def _numbered(rows: "csv.DictReader[str]") -> Iterator[tuple[int, Mapping[str, str | None]]]:
    for row in rows:
        yield rows.line_num, row


def _check_width(row: Mapping[str, str | None], width: int) -> None:
    if None in row:  # where csv keeps the cells that have no column
        raise _CellError(str(width + 1), f"there are only {width} columns in the header")


def _cell(row: Mapping[str, str | None], column: str) -> str:
    text = row[column]
    if text is None or not text.strip():
        raise _CellError(column, "empty")
    return text.strip()


def _time(row: Mapping[str, str | None]) -> int:
    text = _cell(row, "timestamp")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _CellError("timestamp", f"{text!r} is not a time YYYY-mm-dd HH:MM:SS") from None
    if moment.year not in YEARS:
        raise _CellError("timestamp", f"{text!r} is not in {YEARS.start} to {YEARS.stop - 1}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    close_ms = round(moment.timestamp() * 1000)
    if close_ms % MINUTE_MS:
        raise _CellError("timestamp", f"{text!r} is not on a whole minute")
    return close_ms


def _check_order(close_ms: int, expected: int | None) -> None:
    if expected is None or close_ms == expected:
        return
    if close_ms < expected:
        raise _CellError("timestamp", "time does not increase from the row above")
    raise _CellError("timestamp", f"gap of {(close_ms - expected) // MINUTE_MS} minutes before it")


def _number(row: Mapping[str, str | None], column: str) -> Decimal:
    text = _cell(row, column)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _CellError(column, f"{text!r} is not a number") from None
    if not value.is_finite():
        raise _CellError(column, f"{text!r} is not a finite number")
    return value


def _check_range(column: str, value: Decimal, low: Decimal, high: Decimal) -> None:
    if not low <= value <= high:
        raise _CellError(column, f"{value} is outside {low} to {high}")


def _candle(row: Mapping[str, str | None]) -> Candle:
    values = {column: _number(row, column) for column in (*PRICES, "volume")}
    for column in PRICES:
        if values[column] <= 0:
            raise _CellError(column, f"price {values[column]} is not above zero")
        _check_range(column, values[column], LOWEST_PRICE, HIGHEST_PRICE)
    if values["volume"] < 0:
        raise _CellError("volume", f"{values['volume']} is below zero")
    _check_range("volume", values["volume"], Decimal(0), HIGHEST_VOLUME)
    if values["high"] < values["low"]:
        raise _CellError("high", f"high {values['high']} is below low {values['low']}")
    for column in ("open", "close"):
        if not values["low"] <= values[column] <= values["high"]:
            raise _CellError(column, f"{values[column]} is outside low..high")
    opened, high, low, close = (values[column] for column in PRICES)
    return Candle(opened, high, low, close, values["volume"])
