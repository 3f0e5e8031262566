"""``python -m chaos``: the commands of the chaos harness."""

import sys
from pathlib import Path

import click
from rich.console import Console

from chaos.corrupt.command import corrupt_command
from chaos.enumerate.command import enumerate_command
from chaos.fuzz.command import fuzz_command
from chaos.mutants.command import mutants_command
from chaos.real import replay
from chaos.real.command import real_command
from chaos.real.fsync import fsync_command
from chaos.real.processes import DidNotStart
from chaos.sim.command import sim_command
from tradebaas.config import EMBEDDED_INSTRUMENTS


@click.group()
def main() -> None:
    """Kill the daemon, and prove that nothing was lost."""


main.add_command(sim_command)
main.add_command(enumerate_command)
main.add_command(mutants_command)
main.add_command(fuzz_command)
main.add_command(corrupt_command)
main.add_command(real_command)
main.add_command(fsync_command)


@main.command("replay")
@click.option(
    "--candles", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--instrument",
    type=click.Choice(EMBEDDED_INSTRUMENTS),
    default="BTC-PERPETUAL",
    show_default=True,
)
def replay_command(candles: Path, instrument: str) -> None:
    """Trade a candle file in lockstep; exit 0 when both ledgers end equal to the last digit."""
    try:
        outcome = replay.replay(candles, instrument, replay.tell)
    except (replay.ReplayFailed, DidNotStart) as error:
        raise click.ClickException(str(error)) from error
    replay.show(outcome, Console())
    sys.exit(1 if outcome.differences() else 0)


if __name__ == "__main__":
    main()
