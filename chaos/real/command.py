"""``python -m chaos real``: a campaign on real processes and its verdict, or what can be played."""

from pathlib import Path

import click
from rich.console import Console

from chaos.mutants import MUTANTS
from chaos.real import campaign, catalogue
from chaos.real.campaign import Plan
from chaos.real.faults import FAULTS
from chaos.real.profile import BadProfile, load
from chaos.real.report import verdict_of
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options


@click.command("real")
@click.option("--profile", "name", default="kill", show_default=True, help="A name, or a file.")
@click.option("--list", "listing", is_flag=True, help="Show the profiles and what is permitted.")
@click.option("--rounds", type=click.IntRange(1), help="Instead of the profile's own number.")
@click.option("--seed", default=1, show_default=True)
@click.option("--break", "broken", type=click.Choice(sorted(MUTANTS)), help="A mutant.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep ledgers and logs here.")
@output_options
def real_command(
    name: str,
    listing: bool,
    rounds: int | None,
    seed: int,
    broken: str | None,
    keep: Path | None,
    output: Output,
) -> None:
    """Hurt the real daemon as a profile says; exit 0 without a violation, else 1."""
    if listing:
        catalogue.show(Console())
        return
    if keep is not None and any(keep.glob("*")):
        raise click.BadParameter(f"{keep} is not empty; give a new directory", param_hint="--keep")
    started = machine.now()
    try:
        profile = load(name, FAULTS)
        plan = Plan(profile, rounds or profile.rounds, seed, broken or "", keep)
        outcome = campaign.run(plan, click.echo)
    except BadProfile as error:
        raise click.UsageError(str(error)) from error
    code = deliver(verdict_of(outcome, started), output, Console())
    if outcome.violations:
        click.echo(f"ledgers and logs are kept in {outcome.home}")
    raise SystemExit(code)
