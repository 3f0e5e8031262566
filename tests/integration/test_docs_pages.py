"""The pages do not lie: links resolve, commands and options exist, files named are there."""

import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from tradebaas.cli import main
from tradebaas.core.lifecycle import TRANSITIONS
from tradebaas.errors import BudgetSpent, StoreFault, Unusable

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
ADR_PARTS = ["Context", "Decision", "Consequences", "How we would notice that it was wrong"]


def anchor(heading: str) -> str:
    """The anchor that a heading gets: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {anchor(heading) for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, part = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (part and part not in anchors(target)):
            broken.append(link)
    return broken


def commands(text: str) -> list[list[str]]:
    """The words after ``tradebaas`` in every piece of code that begins with it."""
    found = []
    for block, inline in CODE.findall(text):
        for line in (block or inline).splitlines():
            match = re.match(r"\s*(?:\$ )?(?:\S*/)?tradebaas(?: +(.*))?$", line.partition(" #")[0])
            if match and match[1]:
                found.append(shlex.split(match[1]))
    return found


def problem_of(words: list[str]) -> str:
    """Why ``tradebaas`` with these words is not a command that exists; "" when it is."""
    group: click.Group = main
    context = click.Context(main)
    while words and words[0] in group.list_commands(context):
        command = group.get_command(context, words[0])
        assert command is not None
        words = words[1:]
        if not isinstance(command, click.Group):
            options = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
            asked = [word.partition("=")[0] for word in words if word.startswith("--")]
            return ", ".join(f"no option {name}" for name in asked if name not in options)
        group = command
    if not words and group is not main:
        return ""
    named = {name for p in group.params for name in p.opts} | {"--help"}
    return "" if words and words[0] in named else f"no command {' '.join(words)}"


@pytest.mark.parametrize("name", NAMES)
def test_links_resolve(name: str) -> None:
    assert broken_links(ROOT / name) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    problems = {" ".join(words): problem_of(words) for words in commands(text)}
    assert {words: why for words, why in problems.items() if why} == {}


def test_commands_that_do_not_exist_are_found() -> None:
    text = "`tradebaas fly` and `tradebaas log --backwards`\n```sh\ntradebaas backup list\n```"
    assert [problem_of(words) for words in commands(text)] == [
        "no command fly",
        "no option --backwards",
        "",
    ]


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "adr" / "0001-crew-and-shell.md"
    copy = tmp_path / "page.md"
    copy.write_text(page.read_text(encoding="utf-8") + "[x](nothing.md)", encoding="utf-8")
    assert "nothing.md" in broken_links(copy)


def test_every_command_is_told_of() -> None:
    told = {words[0] for page in PAGES for words in commands(page.read_text(encoding="utf-8"))}
    assert set(main.list_commands(click.Context(main))) <= told


@pytest.mark.parametrize("name", [name for name in NAMES if "/adr/" in name])
def test_a_decision_has_its_four_parts_and_is_short(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ADR_PARTS
    assert len(text.splitlines()) <= 60
    assert re.match(rf"# {Path(name).name[:4]} ", text)


def test_the_lifecycle_page_is_what_the_table_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    made = runpy.run_path(str(ROOT / "scripts" / "lifecycle.py"))
    for name, drawn in (("lifecycle.md", made["page"]()), ("lifecycle.svg", made["picture"]())):
        kept = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert kept == drawn, "run: python scripts/lifecycle.py"


def test_the_drawing_of_the_lifecycle_has_every_move() -> None:
    drawn = (ROOT / "docs" / "lifecycle.svg").read_text(encoding="utf-8")
    words = re.findall(r'class="words"[^>]*>([^<]+)<', drawn)
    assert sorted(words) == sorted(TRANSITIONS.values())
    assert drawn.count("<path marker-end=") == len(TRANSITIONS)


def test_the_page_of_monitoring_is_what_the_tables_say() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "monitoring.py"))["page"]()
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert page == drawn, "run: python scripts/monitoring.py"
    rules = (ROOT / "deploy" / "prometheus" / "tradebaas.rules.yml").read_text(encoding="utf-8")
    assert page.count("| [`TradeBaas") == rules.count("- alert: ") > 10


def test_the_exit_codes_are_told() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for error in (BudgetSpent, StoreFault, Unusable):
        assert re.search(rf"^\| {error.exit_code} \|", text, re.MULTILINE), error.exit_code


def test_every_message_in_the_runbook_is_one_of_the_programs() -> None:
    text = (ROOT / "docs" / "recovery.md").read_text(encoding="utf-8")
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "src" / "tradebaas").rglob("*.py")
    )
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(messages) > 20
    assert [message for message in messages if message not in sources] == []
