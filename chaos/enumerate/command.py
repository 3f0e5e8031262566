"""``python -m chaos enumerate``: every point of every scenario, or one trial and its timeline."""

import time

import click
from rich.console import Console

from chaos.enumerate import campaign
from chaos.enumerate.census import Census
from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.trial import Trial, play
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Run, Tally, Verdict
from chaos.sim.reaper import Deed

OUTCOMES = tuple(outcome.value for outcome in Outcome)


@click.command("enumerate")
@click.option("--scenario", type=click.Choice(tuple(SCENARIOS)), help="Only this one.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only this one.")
@click.option("--point", type=click.IntRange(0), help="One trial: die at this point, 0 at none.")
@click.option("--power", is_flag=True, help="Die there by a power cut, not by SIGKILL.")
@click.option("--second", type=click.IntRange(1), help="Die again at this point of the recovery.")
@click.option("--trace", is_flag=True, help="Print the timeline of the one trial.")
@output_options
def enumerate_command(
    scenario: str | None, outcome: str | None, point: int | None, power: bool,
    second: int | None, trace: bool, output: Output,
) -> None:  # fmt: skip
    """Die at every point of a trade cycle, in every way; exit 0 without a violation, else 1."""
    began, started = time.monotonic(), machine.now()
    if point is not None and scenario is None:
        raise click.UsageError("--point needs --scenario: each script counts its own points")
    if point is None and (trace or power or second):
        raise click.UsageError("--trace, --power and --second need --point: they are of one trial")
    if scenario is not None and point is not None:
        doom = Doom(Outcome(outcome or Outcome.DONE), Deed.POWER if power else Deed.SIGKILL)
        trial = Trial(scenario, doom, point, second or 0)
        tally, which, command = _alone(trial, trace=trace)
    else:
        tally = _all(scenario, outcome)
        which = scenario or f"{len(SCENARIOS)} scenarios"
        command = "python -m chaos enumerate"
        command += f" --scenario {scenario}" if scenario else ""
        command += f" --outcome {outcome}" if outcome else ""
    trials = tally.figures.get("trials", 1)
    run = Run(
        title="Every point of a trade cycle",
        command=command,
        unit="trials" if trials > 1 else "trial",
        trials=trials,
        which=which,
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=time.monotonic() - began,
    )
    raise SystemExit(deliver(Verdict(run=run, tally=tally), output, Console()))


def _alone(trial: Trial, *, trace: bool) -> tuple[Tally, str, str]:
    stage, result = play(trial)
    if len(result.deaths) != bool(trial.point) + bool(trial.second):
        raise click.UsageError(f"the script or its recovery has no such point: {trial.command}")
    if trace:
        click.echo(stage.timeline.text(), nl=False)
    return result.tally, f"journal {result.digest}", trial.command


def _all(scenario: str | None, outcome: str | None) -> Tally:
    scenarios = [scenario] if scenario else list(SCENARIOS)
    outcomes = [Outcome(outcome)] if outcome else list(Outcome)
    census = Census(complete=not {Outcome.DONE, Outcome.TWICE}.isdisjoint(outcomes))
    for result in campaign.run(campaign.jobs_of(scenarios, outcomes), click.echo):
        census.take(result)
    return census.tally()
