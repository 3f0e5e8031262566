"""What a command of the harness does with its verdict: prints it, and writes the files asked for.

The table comes first, so that a full disk does not take the result of a long run with it. A file
is there whole or not at all. That a file can be written is checked before the run, not after it.
"""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click
from msgspec import Struct
from rich.console import Console

from chaos.report import document, junit
from chaos.report.table import show
from chaos.report.verdict import Verdict


class Output(Struct, frozen=True):
    """Where the report is wanted besides on the console."""

    json: Path | None = None
    html: Path | None = None
    junit: Path | None = None


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--json``, ``--html`` and ``--junit``; it gets them as ``output``."""

    @wraps(command)
    def with_output(
        json_file: Path | None, html_file: Path | None, junit_file: Path | None, **others: object
    ) -> None:
        command(output=Output(json_file, html_file, junit_file), **others)

    decorated: Callable[..., None] = with_output
    for name, what in (("junit", "JUnit XML"), ("html", "a page with plots"), ("json", "JSON")):
        decorated = click.option(
            f"--{name}",
            f"{name}_file",
            type=click.Path(dir_okay=False, path_type=Path),
            callback=_writable,
            help=f"Also write the report as {what} here.",
        )(decorated)
    return decorated


def deliver(verdict: Verdict, output: Output, console: Console) -> int:
    """Print the verdict, write the files; 0 if it passed, else 1, which is the exit code.

    Raises:
        OSError: a file can't be written; those before it are complete.
    """
    show(verdict, console)
    for path, encode in ((output.json, document.encode), (output.junit, junit.encode)):
        if path is not None:
            _write(path, encode(verdict))
    if output.html is not None:
        from chaos.report.page import encode as page  # draws plots: half a second to import

        _write(output.html, page(verdict))
    for path in filter(None, (output.json, output.html, output.junit)):
        console.print(f"written: {path}", markup=False, highlight=False)
    return 0 if verdict.passed else 1


def _write(path: Path, content: bytes) -> None:
    """Atomically: a reader sees the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _writable(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and not os.access(path.parent, os.W_OK):
        raise click.BadParameter(f"the directory {path.parent} is not there, or can't be written")
    return path
