"""``python -m chaos real``: a campaign on real processes and its verdict, or what can be played."""

import time
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console

from chaos.real import campaign, catalogue
from chaos.real.breakages import ALL
from chaos.real.campaign import Plan
from chaos.real.ending import Ending
from chaos.real.faults import FAULTS
from chaos.real.profile import BadProfile, load
from chaos.real.proofs import PROOFS
from chaos.real.proofs import prove as prove_all
from chaos.real.report import verdict_of
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Run, Verdict


@click.command("real")
@click.option("--profile", "name", default="kill", show_default=True, help="A name, or a file.")
@click.option("--list", "listing", is_flag=True, help="Show the profiles and what is permitted.")
@click.option("--rounds", type=click.IntRange(1), help="Instead of the profile's own number.")
@click.option("--seed", default=1, show_default=True)
@click.option("--break", "broken", type=click.Choice(sorted(ALL)), help="A mutant.")
@click.option("--prove", is_flag=True, help="Play the mutants that each kind of fault must find.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep ledgers and logs here.")
@output_options
def real_command(
    name: str,
    listing: bool,
    rounds: int | None,
    seed: int,
    broken: str | None,
    prove: bool,
    keep: Path | None,
    output: Output,
) -> None:
    """Hurt the real daemon as a profile says; exit 0 without a violation, else 1.

    What this machine does not permit is skipped, with the reason; where that is all, the exit code
    is 1 as well, since nothing was shown.

    SIGINT or SIGTERM ends it early, after the round under way: what was played is judged and told,
    and the exit code is 130 or 143 unless there was a violation. A second one ends it at once.
    """
    if prove and _given("name", "rounds", "broken"):
        raise click.UsageError(
            "--prove has profiles, rounds and mutants of its own: "
            "leave --profile, --rounds and --break out"
        )
    if listing and prove:
        raise click.UsageError("--list only shows, --prove plays: give one of them")
    if listing:
        catalogue.show(Console())
        return
    if keep is not None and any(keep.glob("*")):
        raise click.BadParameter(f"{keep} is not empty; give a new directory", param_hint="--keep")
    started = machine.now()
    if prove:
        raise SystemExit(_prove(seed, keep, started, output, Ending()))
    try:
        profile = load(name, FAULTS)
    except BadProfile as error:
        raise click.UsageError(str(error)) from error
    plan = Plan(profile, rounds or profile.rounds, seed, broken or "", keep)
    ending = Ending()
    with ending.heeded():
        outcome = campaign.run(plan, click.echo, ending)
    code = deliver_early(verdict_of(outcome, started), output, ending)
    if outcome.violations:
        click.echo(f"ledgers and logs are kept in {outcome.home}")
    raise SystemExit(code)


def _given(*options: str) -> bool:
    """Whether the command line names one of them."""
    context = click.get_current_context()
    return any(
        context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in options
    )


def deliver_early(verdict: Verdict, output: Output, ending: Ending) -> int:
    """``deliver``, and the exit code of an early end; what is wrong with the daemon goes first."""
    code = deliver(verdict, output, Console())
    wrong = verdict.tally.findings or verdict.tally.survivors
    return ending.code if verdict.run.ended and not wrong else code


def _prove(seed: int, keep: Path | None, started: str, output: Output, ending: Ending) -> int:
    """Whether each kind of fault finds what it exists to find; the exit code."""
    began = time.monotonic()
    with ending.heeded():
        tally = prove_all(PROOFS, seed, keep, click.echo, ending)
    done = len(tally.mutants) + len(tally.skipped)
    run = Run(
        title="Broken daemons as real processes",
        command=f"python -m chaos real --prove --seed {seed}",
        unit="mutants",
        trials=len(tally.mutants),
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=round(time.monotonic() - began, 1),
        ended=ending.words(done, len(PROOFS), "mutants") if done < len(PROOFS) else "",
    )
    return deliver_early(Verdict(run, tally), output, ending)
