"""TradeBaas: a trading daemon for one Deribit account that survives being killed."""

__version__ = "0.1.0"
