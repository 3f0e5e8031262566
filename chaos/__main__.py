"""``python -m chaos``: the commands of the chaos harness."""

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from chaos.mutants import FSYNC_MUTANTS, REAL_MUTANTS
from chaos.real import campaign, catalogue, fsync, replay, report
from chaos.real.campaign import Plan
from chaos.real.faults import FAULTS
from chaos.real.profile import BadProfile, load
from chaos.report import machine, table
from chaos.report.verdict import Run
from chaos.sim.command import sim_command


@click.group()
def main() -> None:
    """Kill the daemon, and prove that nothing was lost."""


main.add_command(sim_command)


@main.command("real")
@click.option("--profile", "name", default="kill", show_default=True, help="A name, or a file.")
@click.option("--list", "listing", is_flag=True, help="Show the profiles and what is permitted.")
@click.option("--rounds", type=click.IntRange(1), help="Instead of the profile's own number.")
@click.option("--seed", default=1, show_default=True)
@click.option("--break", "broken", type=click.Choice(REAL_MUTANTS), help="A mutant.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep ledgers and logs here.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write JSON here.")
def real_command(
    name: str, listing: bool, rounds: int | None, seed: int, broken: str | None,
    keep: Path | None, json_file: Path | None,
) -> None:  # fmt: skip
    """Hurt the real daemon as a profile says; exit 0 without a violation, else 1."""
    if listing:
        catalogue.show(Console())
        return
    if keep is not None and any(keep.glob("*")):
        raise click.BadParameter(f"{keep} is not empty; give a new directory", param_hint="--keep")
    made = Run("", "", "", 0, commit=machine.commit(), machine=machine.describe(),
               started=machine.now())  # fmt: skip
    try:
        profile = load(name, FAULTS)
        plan = Plan(profile, rounds or profile.rounds, seed, broken or "", keep)
        outcome = campaign.run(plan, _say)
    except BadProfile as error:
        raise click.UsageError(str(error)) from error
    verdict = report.verdict_of(outcome, made)
    table.show(verdict, Console())
    if outcome.violations:
        click.echo(f"ledgers and logs are kept in {outcome.home}")
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(verdict)) + b"\n")
    sys.exit(0 if verdict.passed else 1)


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


def _say(line: str) -> None:
    click.echo(line)


if __name__ == "__main__":
    main()
