"""What a call needs that takes long to work out, done before the call is.

A step of the exchange is one go: while it lasts, nobody else is answered and the market stands. A
chart of a week that nobody has drawn before would take seconds, the first ticker (whose statistics
are of 24 hours) some tenths of one. So their bars are added up first, a few at a time, while the
exchange goes on. It changes nothing that anybody is told; whoever asks for less, or wrongly, gets
his answer from his step as ever.
"""

from collections.abc import Iterator

import msgspec

from tradebaas.paper import params
from tradebaas.paper.charts import RESOLUTIONS
from tradebaas.paper.day import day_bars
from tradebaas.paper.exchange import Exchange
from tradebaas.paper.instruments import INSTRUMENTS

CHART = "get_tradingview_chart_data"
OF_A_DAY = ("ticker", "get_order_book", "get_book_summary", "get_trade_volumes")
"""What is told with the statistics of a day, as methods and channels are named."""
MAX_BRACKETS = 8
"""No frame that asks for a chart has more, and none that has them is decoded here."""


class Asking(msgspec.Struct):
    """As much as has to be known of a frame that asks for a chart."""

    params: msgspec.Raw


def ahead(exchange: Exchange, text: str) -> Iterator[None]:
    """Work out what the frame ``text`` asks for, a few bars before each step of the iterator."""
    charts = exchange.display.feeds.charts
    if any(word in text for word in OF_A_DAY):
        named = [name for name in charts if name in text] or list(charts)
        for name in named:
            yield from charts[name].ahead(day_bars(exchange.tape))
    elif CHART in text and text.count("{") + text.count("[") <= MAX_BRACKETS:
        yield from _chart(exchange, text)


def _chart(exchange: Exchange, text: str) -> Iterator[None]:
    try:
        body = msgspec.json.decode(text, type=Asking).params
        asked = params.decode(bytes(body), params.Chart)
    except (msgspec.DecodeError, params.Refused):
        return
    minutes = RESOLUTIONS.get(asked.resolution, 0)
    if asked.instrument_name in INSTRUMENTS and minutes:
        chart = exchange.display.feeds.charts[asked.instrument_name]
        opens = chart.opens(minutes, asked.start_timestamp, asked.end_timestamp)
        yield from chart.ahead(range(opens.start, opens.stop + minutes))
