"""``python -m chaos corrupt``: every page of every file of a data directory, spoilt."""

import random
import tempfile
from collections import Counter
from pathlib import Path

import click

from chaos.corrupt.books import FOLDER, OTHERWISE, REFUSED, UNAFFECTED
from chaos.corrupt.sample import make, memory, small_ballast
from chaos.corrupt.trial import Violation, judge, spoilings

NOTE = f"""\
{FOLDER}/ is the embedded exchange's: play money, and for the daemon the world outside. Its books
have no chain and no backups, so where nothing shows the damage it starts with another account
({OTHERWISE}); the daemon takes what an exchange says for the truth."""


@click.command("corrupt")
@click.option("--per-page", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=40, show_default=True, type=click.IntRange(min=1),
              help="How long the history is.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Another seed, other bytes.")
def corrupt_command(per_page: int, rounds: int, seed: int) -> None:
    """Spoil a file, start, judge, again; exit 0 if each start was right or refused, else 1."""
    small_ballast()
    counts: Counter[tuple[str, str]] = Counter()
    violations = 0
    with tempfile.TemporaryDirectory(prefix="corrupt-", dir=memory()) as folder:
        sample = make(Path(folder) / "sample", rounds)
        for spoiling in spoilings(sample, per_page, random.Random(seed)):
            place = sample.copy_to(Path(folder) / "data")
            try:
                counts[spoiling.file, judge(sample, place, spoiling)] += 1
            except Violation as violation:
                violations += 1
                click.echo(f"VIOLATION {violation}", err=True)
        for file in sample.files():
            kinds = (UNAFFECTED, REFUSED, *([OTHERWISE] if file.startswith(f"{FOLDER}/") else []))
            click.echo(f"{file:60} " + " ".join(f"{counts[file, k]:6} {k}" for k in kinds))
        click.echo(NOTE)
    click.echo(f"{counts.total() + violations} trials of seed {seed}, {violations} violations")
    raise SystemExit(1 if violations else 0)
