"""``python -m chaos``: the commands of the chaos harness."""

import sys
from pathlib import Path

import click
from rich.console import Console

from chaos.enumerate.command import enumerate_command
from chaos.fuzz.command import fuzz_command
from chaos.mutants import FSYNC_MUTANTS
from chaos.mutants.command import mutants_command
from chaos.real import fsync, replay
from chaos.real.command import real_command
from chaos.sim.command import sim_command


@click.group()
def main() -> None:
    """Kill the daemon, and prove that nothing was lost."""


main.add_command(sim_command)
main.add_command(enumerate_command)
main.add_command(mutants_command)
main.add_command(fuzz_command)
main.add_command(real_command)


@main.command("fsync")
@click.option("--seconds", default=8.0, show_default=True, help="How long to trade under strace.")
@click.option("--break", "broken", type=click.Choice(FSYNC_MUTANTS), help="A mutant.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the trace and ledgers here.")
def fsync_command(seconds: float, broken: str | None, keep: Path | None) -> None:
    """Show that whatever was acknowledged or sent had reached the disk before."""
    sys.exit(fsync.run(seconds, broken or "", keep, Console()))


@main.command("replay")
@click.option("--candles", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--instrument", default="BTC-PERPETUAL", show_default=True)
def replay_command(candles: Path, instrument: str) -> None:
    """Trade a candle file in lockstep; exit 0 when both ledgers end equal to the last digit."""
    outcome = replay.replay(candles, instrument, replay.tell)
    replay.show(outcome, Console())
    sys.exit(1 if outcome.differences() else 0)


if __name__ == "__main__":
    main()
