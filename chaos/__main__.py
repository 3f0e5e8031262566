"""``python -m chaos``: the commands of the chaos harness."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from chaos.breaks import FSYNC_BREAKS, KILL_BREAKS
from chaos.real import fsync, kill, replay, report


@click.group()
def main() -> None:
    """Kill the daemon, and prove that nothing was lost."""


@main.command("kill")
@click.option("--rounds", default=200, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True)
@click.option("--break", "broken", type=click.Choice(KILL_BREAKS), help="A deliberate breakage.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep ledgers and logs here.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Also write JSON here.")
def kill_command(
    rounds: int, seed: int, broken: str | None, keep: Path | None, json_file: Path | None
) -> None:
    """Kill the daemon ROUNDS times; exit 0 without a violation, else 1."""
    if keep is not None and any(keep.glob("*")):
        raise click.BadParameter(f"{keep} is not empty; give a new directory", param_hint="--keep")
    outcome = kill.run(kill.Plan(rounds, seed, broken or "", keep), _say)
    report.show(outcome, Console())
    if json_file is not None:
        json_file.write_text(json.dumps(report.document(outcome), indent=1) + "\n", "utf-8")
    sys.exit(0 if outcome.passed else 1)


@main.command("fsync")
@click.option("--seconds", default=8.0, show_default=True, help="How long to trade under strace.")
@click.option("--break", "broken", type=click.Choice(FSYNC_BREAKS), help="A deliberate breakage.")
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
