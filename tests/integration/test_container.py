"""The container's files name what exists, and its health check tells a healthy daemon from a dead
one. No engine runs here, so nothing is built."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import yaml  # type: ignore[import-untyped]

from tests.unit.actors.process import Run, exchange_process
from tradebaas.access import CREDENTIAL_NAME, NOTICE_CREDENTIAL
from tradebaas.cli import main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text(encoding="utf-8"))
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    if line and not line.startswith("#")
]


def instruction(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


def test_every_instruction_is_one() -> None:
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENV", "STOPSIGNAL", "HEALTHCHECK",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    assert {word for word, _ in INSTRUCTIONS} <= known
    for script in instruction("RUN"):
        done = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done


def test_what_is_copied_is_there() -> None:
    copied = [
        words for line in instruction("COPY") if "--from" not in (words := shlex.split(line))[0]
    ]
    assert copied
    for *sources, _ in copied:
        for source in sources:
            assert (ROOT / source).exists(), source


def test_it_does_not_run_as_root_and_keeps_no_secret() -> None:
    assert instruction("USER") == ["tradebaas"]
    assert "SECRET" not in DOCKERFILE
    for service in COMPOSE["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True


def test_the_commands_exist() -> None:
    names = main.list_commands(click.Context(main))
    assert COMPOSE["services"]["exchange"]["command"][0] in names
    assert yaml.safe_load(instruction("CMD")[0])[0] in names


def test_the_secrets_have_the_names_that_the_daemon_looks_for() -> None:
    daemon = COMPOSE["services"]["daemon"]
    assert daemon["secrets"] == [CREDENTIAL_NAME, NOTICE_CREDENTIAL] == [*COMPOSE["secrets"]]
    assert daemon["environment"]["CREDENTIALS_DIRECTORY"] == "/run/secrets"


def check(port: int) -> int:
    """The exit code of the health check, asked of this port."""
    (words,) = instruction("HEALTHCHECK")
    _python, *rest = yaml.safe_load(words.partition("CMD ")[2])
    command = [word.replace(":3000/", f":{port}/") for word in rest]
    return subprocess.run([sys.executable, *command], capture_output=True, check=False).returncode


def test_the_health_check_tells_a_daemon_that_serves_from_one_that_is_gone(tmp_path: Path) -> None:
    with exchange_process(tmp_path / "exchange") as url:
        run = Run(tmp_path, url)
        try:
            run.start()
            run.poll(lambda: "HTTP on" in run.words(), "HTTP")
            (port,) = re.findall(r"HTTP on http://[^ ]+:(\d+)", run.words())
            assert check(int(port)) == 0
        finally:
            run.end()
        assert check(int(port)) == 1
