"""``python -m chaos enumerate``: every point of every scenario, or one trial and its timeline."""

import time

import click
from rich.console import Console

from chaos.enumerate import campaign
from chaos.enumerate.census import Census
from chaos.enumerate.cuts import TRIED, Cut
from chaos.enumerate.outcomes import Doom, Outcome
from chaos.enumerate.scenarios import SCENARIOS
from chaos.enumerate.trial import Trial, play
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Run, Tally, Verdict, of_few
from chaos.sim.reaper import Deed

OUTCOMES = tuple(outcome.value for outcome in Outcome)
CUTS = tuple(cut.value for cut in Cut)


@click.command("enumerate")
@click.option("--scenario", type=click.Choice(tuple(SCENARIOS)), help="Only this one.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only this one.")
@click.option("--cut", type=click.Choice(CUTS), help="No deaths, and only these cuts.")
@click.option("--point", type=click.IntRange(0), help="One trial: at this point, 0 at none.")
@click.option("--power", is_flag=True, help="Die there by a power cut, not by SIGKILL.")
@click.option("--second", type=click.IntRange(1), help="Die again at this point of the recovery.")
@click.option("--trace", is_flag=True, help="Print the timeline of the one trial.")
@output_options
def enumerate_command(
    scenario: str | None, outcome: str | None, cut: str | None, point: int | None, power: bool,
    second: int | None, trace: bool, output: Output,
) -> None:  # fmt: skip
    """Die at every point of a trade cycle, in every way, and cut its connection at every frame.

    Exit 0 without a violation, else 1."""
    began, started = time.monotonic(), machine.now()
    if point is not None and scenario is None:
        raise click.UsageError("--point needs --scenario: each script counts its own points")
    if point is None and (trace or power or second):
        raise click.UsageError("--trace, --power and --second need --point: they are of one trial")
    if cut and (power or second):
        raise click.UsageError("--cut is without a death: --power and --second are not for it")
    if cut and outcome and point is None:
        raise click.UsageError("--outcome and --cut choose different trials: give one of them")
    if scenario is not None and point is not None:
        doom = Doom(Outcome(outcome or Outcome.DONE), Deed.POWER if power else Deed.SIGKILL)
        trial = Trial(scenario, doom, point, second or 0, Cut(cut) if cut else None)
        tally, which, command = _alone(trial, trace=trace)
    else:
        tally = _all(scenario, outcome, cut)
        which = scenario or f"{len(SCENARIOS)} scenarios"
        command = "python -m chaos enumerate"
        command += f" --scenario {scenario}" if scenario else ""
        command += f" --outcome {outcome}" if outcome else ""
        command += f" --cut {cut}" if cut else ""
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
    wanted = 0 if trial.cut else bool(trial.point) + bool(trial.second)
    if len(result.deaths) != wanted or (result.loss is None) is not (trial.cut is None):
        raise click.UsageError(f"the script or its recovery has no such point: {trial.command}")
    if trace:
        click.echo(stage.timeline.text(), nl=False)
    return of_few(result.tally), f"journal {result.digest}", trial.command


def _all(scenario: str | None, outcome: str | None, cut: str | None) -> Tally:
    scenarios = [scenario] if scenario else list(SCENARIOS)
    outcomes = tuple(o for o in Outcome if not cut and outcome in (None, o))
    cuts = () if outcome else (Cut(cut),) if cut else TRIED
    census = Census(complete=not {Outcome.DONE, Outcome.TWICE}.isdisjoint(outcomes), cuts=cuts)
    for result in campaign.run(campaign.jobs_of(scenarios, outcomes, cuts), click.echo):
        census.take(result)
    return census.tally()
