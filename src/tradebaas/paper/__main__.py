"""Serves the embedded exchange alone: ``python -m tradebaas.paper --directory DIR``."""

import sys
from decimal import Decimal
from pathlib import Path

import click

from tradebaas.paper.config import ExchangeConfig
from tradebaas.paper.process import main


@click.command()
@click.option("--directory", type=click.Path(path_type=Path), required=True)
@click.option("--port", default=0, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--candles", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--history", default=0, show_default=True, help="Rows of the file that are past.")
@click.option("--speed", default="1", show_default=True, help="A factor, or 'lockstep'.")
@click.option("--idle-exit", default=600.0, show_default=True, help="Seconds; 0 = never.")
@click.option("--start-ms", type=int, help="Exchange time of a first start.")
@click.option("--balance-btc", default="1", show_default=True)
@click.option("--admin", is_flag=True, help="Serve the methods for test drivers.")
def command(
    directory: Path, port: int, seed: int, candles: Path | None, history: int, speed: str,
    idle_exit: float, start_ms: int | None, balance_btc: str, admin: bool,
) -> None:  # fmt: skip
    """Serve the embedded exchange until it is stopped or nobody uses it."""
    lockstep = speed == "lockstep"
    config = ExchangeConfig(
        directory=directory, port=port, seed=seed, candles=candles, history=history,
        speed=1.0 if lockstep else float(speed), lockstep=lockstep, idle_exit_s=idle_exit,
        start_ms=start_ms, balance_btc=Decimal(balance_btc), admin=admin,
    )  # fmt: skip
    sys.exit(main(config))


if __name__ == "__main__":
    command()
