"""``deploy/tradebaas.sh``, which names the files of the service where nobody else does."""

import subprocess
from pathlib import Path

import click
import pytest

from tradebaas.cli import main

WRAPPER = Path(__file__).parents[3] / "deploy" / "tradebaas.sh"
SERVICE = ["--config", "/etc/tradebaas/tradebaas.toml", "--data", "/var/lib/tradebaas"]
ONE = ["--config", "/etc/tradebaas/one.toml", "--data", "/var/lib/tradebaas-one"]


def passed(tmp_path: Path, *words: str, **environ: str) -> list[str]:
    """What the program is given."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", WRAPPER, *words], check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "TRADEBAAS_PROGRAM": str(program), **environ},
    )  # fmt: skip
    return done.stdout.splitlines()


def _commands(group: click.Group, *above: str) -> list[tuple[list[str], click.Command]]:
    found: list[tuple[list[str], click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        words = [*above, name]
        if isinstance(command, click.Group):
            found += _commands(command, *words)
        else:
            found.append((words, command))
    return found


@pytest.mark.parametrize(("words", "command"), _commands(main))
def test_each_command_that_takes_them_is_given_them(
    words: list[str], command: click.Command, tmp_path: Path
) -> None:
    names = {parameter.name for parameter in command.params}
    takes = "data" in names and names & {"file", "config"}
    # Every command of a daemon has both; `service install --config` copies one, and the exchange
    # has a directory of its own.
    assert passed(tmp_path, *words, "more") == [*words, *(SERVICE if takes else []), "more"]


def test_an_instance_is_named_by_a_variable(tmp_path: Path) -> None:
    assert passed(tmp_path, "status", TRADEBAAS="one") == ["status", *ONE]


@pytest.mark.parametrize("option", [["--data", "x"], ["--data=x"], ["--config=y"]])
def test_who_names_one_gets_nothing_of_the_service(tmp_path: Path, option: list[str]) -> None:
    assert passed(tmp_path, "halt", "why not", *option) == ["halt", "why not", *option]


@pytest.mark.parametrize("words", [[], ["--version"], ["backup", "--help"], ["nonsense"]])
def test_anything_else_is_passed_on_as_it_is(tmp_path: Path, words: list[str]) -> None:
    assert passed(tmp_path, *words) == (words or [""])
