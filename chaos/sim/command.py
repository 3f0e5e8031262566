"""``python -m chaos sim``: many worlds and their verdict, or one world and its timeline."""

import time
from functools import partial

import click
from click.core import ParameterSource
from rich.console import Console

from chaos.mutants import MUTANTS, applied
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Run, Verdict, of_few
from chaos.sim import batch, profiles, rare
from chaos.sim.swarm import draw
from chaos.sim.tally import must_strike, tally_of
from chaos.sim.world import play

DEATHS = 25


@click.command("sim")
@click.option("--seeds", default=200, show_default=True, type=click.IntRange(1))
@click.option("--first", default=1, show_default=True, type=click.IntRange(0))
@click.option("--seed", type=click.IntRange(0), help="Play this one alone.")
@click.option("--deaths", default=DEATHS, show_default=True, type=click.IntRange(0))
@click.option("--profile", type=click.Choice(list(profiles.PROFILES)), help="Narrowed worlds.")
@click.option(
    "--mutant", type=click.Choice(list(MUTANTS)), help="Break the daemon of the one seed."
)
@click.option("--trace", is_flag=True, help="Print the timeline of the one seed.")
@output_options
def sim_command(
    seeds: int, first: int, seed: int | None, deaths: int, profile: str | None,
    mutant: str | None, trace: bool, output: Output,
) -> None:  # fmt: skip
    """Play worlds by their seeds in virtual time; exit 0 without a violation, else 1."""
    if seed is None and (trace or mutant):
        raise click.UsageError("--trace and --mutant need --seed: they are about one world")
    if seed is not None and _given("seeds", "first"):
        raise click.UsageError("--seed is one world, --seeds and --first are a batch: give one")
    if profile is not None and _given("deaths"):
        raise click.UsageError("--profile says itself how often it dies: leave --deaths out")
    began, started = time.monotonic(), machine.now()
    world = partial(profiles.world, profile) if profile else partial(draw, deaths=deaths)
    how = f"--profile {profile}" if profile else f"--deaths {deaths}"
    if seed is None:
        which = range(first, first + seeds)
        wanted = rare.wanted(profile, seeds)
        kinds = must_strike(profile, seeds)
        tally = batch.run(which, world, click.echo, wanted, kinds)
        command = f"chaos sim --seeds {seeds} --first {first} {how}"
        trials, words = seeds, f"{first} to {first + seeds - 1}"
    else:
        with applied(MUTANTS[mutant] if mutant else None):
            outcome = play(world(seed))
        if trace:
            click.echo(outcome.timeline.text(), nl=False)
        tally = of_few(tally_of(outcome))
        broken = f" --mutant {mutant}" if mutant else ""
        command, trials = f"chaos sim --seed {seed} {how}{broken}", 1
        words = f"{seed}, journal {outcome.timeline.digest()}"
    run = Run(
        title="Simulated worlds",
        command=f"python -m {command}",
        unit="seeds" if trials > 1 else "seed",
        trials=trials,
        which=words,
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=time.monotonic() - began,
    )
    raise SystemExit(deliver(Verdict(run=run, tally=tally), output, Console()))


def _given(*options: str) -> bool:
    """Whether the command line names one of them."""
    context = click.get_current_context()
    return any(
        context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in options
    )
