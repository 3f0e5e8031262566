"""The runbook has an entry for each alert, each exit code and each cause of protect-only, and none
for what is none of these; an entry says all that it must, and each alert leads to its own."""

import ast
import re
from collections.abc import Iterator

import pytest
from docs_kit import ROOT
from test_docs_pages import anchor

from tradebaas.actors.causes import BLIND, CLOCK, CLOSED, COD, MAINTENANCE, REFUSED, SKEW
from tradebaas.actors.metrics import LOW_DISK
from tradebaas.actors.persister import DISK_FULL
from tradebaas.actors.restarts import RESTART_LOOP
from tradebaas.actors.strategy import CRASH_LOOP, UNUSABLE
from tradebaas.core.correct import CORRECTED
from tradebaas.core.invariants import BROKEN
from tradebaas.core.reconcile import CLOCK_BACK, UNREAD
from tradebaas.web.health import CHECKS

PAGE = ROOT / "docs" / "runbook.md"
RULES = (ROOT / "deploy" / "prometheus" / "tradebaas.rules.yml").read_text(encoding="utf-8")
CAUSES = {
    *(BLIND, BROKEN, CLOCK, CLOCK_BACK, CLOSED, COD, CORRECTED, CRASH_LOOP),
    *(DISK_FULL, LOW_DISK, MAINTENANCE, REFUSED, RESTART_LOOP, SKEW, UNREAD, UNUSABLE),
}
USAGE = 2
"""What click ends a wrong command line with."""


def entries(section: str) -> dict[str, list[str]]:
    """The entries of a section: what each says, by its heading."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^### (.+)\n((?:(?!### ).*\n?)*)", text, re.MULTILINE)
    assert len({name for name, _ in found}) == len(found)
    return {name: re.findall(r"^- \*\*(.+?):\*\* ", body, re.MULTILINE) for name, body in found}


def exit_codes() -> Iterator[int]:
    """What the program ends with: each class of errors has its code, and so has a wrong use."""
    yield from (0, USAGE)
    for file in (ROOT / "src" / "tradebaas").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id="exit_code")], value=ast.Constant(value=code))
                    | ast.AnnAssign(target=ast.Name(id="exit_code"), value=ast.Constant(value=code))
                ) if isinstance(code, int):
                    yield code


def test_each_alert_has_its_entry() -> None:
    assert set(entries("Alerts")) == set(re.findall(r"- alert: (\w+)", RULES))


def test_each_alert_carries_the_way_to_its_entry() -> None:
    rules = re.findall(r"- alert: (\w+)\n((?:(?! +- alert).*\n)+)", RULES)
    assert len(rules) > 10
    for name, body in rules:
        assert f"\n          runbook: docs/runbook.md#{anchor(name)}\n" in body, name


def test_each_exit_code_has_its_entry() -> None:
    assert set(entries("Exit codes")) == {f"Exit {code}" for code in exit_codes()}


def test_each_cause_of_protect_only_has_its_entry() -> None:
    assert set(entries("Protect-only")) == CAUSES


@pytest.mark.parametrize(
    ("section", "parts", "further"),
    [
        ("Alerts", ["Means", "Look at", "Do", "Never"], []),
        ("Exit codes", ["Means", "Look at", "Do"], ["Never"]),
        ("Protect-only", ["Means", "Ends with", "Do"], []),
    ],
)
def test_an_entry_says_all_that_it_must(section: str, parts: list[str], further: list[str]) -> None:
    for name, said in entries(section).items():
        assert said in (parts, parts + further), name


def test_commands_of_systemd_name_units_that_there_are() -> None:
    units = {path.name.partition(".")[0] for path in (ROOT / "deploy" / "systemd").iterdir()}
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"(?:systemctl [\w-]+|journalctl -u) (tradebaas[\w@-]*)", text)
    assert len(named) > 5
    assert set(named) <= units


def test_rows_of_status_that_it_names_are_checks() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"rows? `(\w+)`(?: and `(\w+)`)?", text)
    assert len(rows) > 5
    named = {row for pair in rows for row in pair if row} - {"exchange"}  # that is one of `check`
    assert named <= {check.name for check in CHECKS}
