"""``python -m chaos fuzz``: spoilt frames by the million, through all that reads them."""

import time

import click
from rich.console import Console

from chaos.fuzz.campaign import BATCH, run
from chaos.report import machine
from chaos.report.output import Output, deliver, output_options
from chaos.report.verdict import Run, Verdict


@click.command("fuzz")
@click.option("--frames", default=1_000_000, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=1, show_default=True, help="Another seed, other frames.")
@click.option(
    "--first", default=0, show_default=True, type=click.IntRange(min=0),
    help=f"Begin with this {BATCH} of them.",
)  # fmt: skip
@output_options
def fuzz_command(frames: int, seed: int, first: int, output: Output) -> None:
    """Read spoilt frames of the exchange; exit 0 if none ended a life, else 1."""
    began, started = time.monotonic(), machine.now()
    tally = run(frames, seed, first, click.echo)
    made = Run(
        title="Hostile frames",
        command=f"python -m chaos fuzz --frames {frames} --seed {seed} --first {first}",
        unit="frames",
        trials=tally.figures["frames"],
        which=f"batches {first} to {first + tally.figures['frames'] // BATCH - 1} of seed {seed}",
        commit=machine.commit(),
        machine=machine.describe(),
        started=started,
        seconds=time.monotonic() - began,
    )
    raise SystemExit(deliver(Verdict(run=made, tally=tally), output, Console()))
