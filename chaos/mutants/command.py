"""``python -m chaos mutants``: every broken daemon must be caught, and the honest one must not be.

All cores hunt the mutants; then the honest daemon is played in every world that was used. A
survivor fails the run and names the fault that the world lacks.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import as_completed
from functools import partial

import click
from msgspec.structs import replace
from rich.console import Console

from chaos.cores import cores, handed_out, in_order
from chaos.mutants import MUTANTS
from chaos.mutants.hunt import Hunt, by_name, control
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Mutant, Run, Section, Tally, Verdict, merge_all

Say = Callable[[str], None]


@click.command("mutants")
@click.option("--list", "listing", is_flag=True, help="Show them, and what must catch each.")
@click.option("--only", multiple=True, type=click.Choice(list(MUTANTS)), help="Only these.")
@click.option(
    "--worlds",
    default=0,
    type=click.IntRange(0),
    help="Play each in so many worlds that nobody chose, and say how many show it.",
)
@output_options
def mutants_command(listing: bool, only: tuple[str, ...], worlds: int, output: Output) -> None:
    """Break the daemon in every known way; exit 0 if each was caught, else 1."""
    if listing:
        for mutant in MUTANTS.values():
            click.echo(f"{mutant.name:22} {', '.join(mutant.by)}\n    {mutant.breaks}")
            click.echo(f"    costs: {mutant.costs}\n    needs: {mutant.needs}")
        return
    names = list(only or MUTANTS)
    began, started = time.monotonic(), machine.now()
    tally = run(names, click.echo, worlds)
    arguments = "".join(f" --only {name}" for name in only)
    arguments += f" --worlds {worlds}" if worlds else ""
    made = Run(
        title="Mutants",
        command=f"python -m chaos mutants{arguments}",
        unit="mutants",
        trials=len(names),
        which=", ".join(names) if only else "all",
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=time.monotonic() - began,
    )
    raise SystemExit(deliver(Verdict(run=made, tally=tally), output, Console()))


def run(names: Iterable[str], say: Say, worlds: int = 0) -> Tally:
    """Hunt the mutants, then play the honest daemon in all worlds that they were hunted in."""
    hunts: dict[str, Hunt] = {}
    names = list(names)
    with cores() as pool:
        for done in as_completed(
            future for _, future in handed_out(pool, partial(by_name, worlds=worlds), names)
        ):
            found = done.result()
            hunts[found.name] = found
            say(told(found))
        places = sorted({place for found in hunts.values() for place in found.places})
        say(f"the honest daemon in the {len(places)} worlds that were used")
        honest = replace(merge_all(tally for _, tally in in_order(pool, control, places)), rare={})
    return merge_all([honest, tally_of([hunts[name] for name in names], len(places))])


def told(found: Hunt) -> str:
    """One line about a hunt; for a survivor, what the world lacks."""
    if found.caught_by:
        where = f"{len(found.shown)} of {len(found.places)} worlds, {found.shown[0]}"
        text = f"{found.text[:160]}" + ("..." if len(found.text) > 160 else "")
        return f"{found.name:22} caught, {found.seconds:.1f} s, {where}: {found.caught_by}: {text}"
    mutant = MUTANTS.get(found.name)
    lacks = f"the world lacks {mutant.needs}" if mutant is not None else ""
    seen = f"; seen instead: {'; '.join(found.instead)[:300]}" if found.instead else ""
    return f"{found.name:22} SURVIVED {len(found.places)} worlds: {lacks}{seen}"


def tally_of(hunts: list[Hunt], worlds: int) -> Tally:
    """The mutants' part of the verdict."""
    rows = tuple(
        (found.name, MUTANTS[found.name].breaks, MUTANTS[found.name].needs)
        for found in hunts
        if not found.caught_by
    )
    lacking = Section("what the world lacks", ("survivor", "broken", "missing fault"), rows)
    return Tally(
        mutants=tuple(map(_mutant, hunts)),
        sections=(lacking,) if rows else (),
        figures={
            "worlds with a mutant": sum(len(found.places) for found in hunts),
            "worlds with the honest daemon": worlds,
        },
    )


def _mutant(found: Hunt) -> Mutant:
    where = (found.shown or found.places)[0]
    which = f"--seed {where.seed} --profile {where.profile} --mutant {found.name}"
    return Mutant(
        name=found.name,
        caught_by=found.caught_by,
        where=str(where) if found.caught_by else "",
        seconds=found.seconds,
        replay=f"python -m chaos sim {which} --trace" if found.caught_by else "",
        shown=len(found.shown),
        worlds=len(found.places),
    )
