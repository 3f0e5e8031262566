"""The pages make a site: every page is in its navigation, and every link in it leads somewhere."""

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from quart_trio import QuartTrio

from tests.unit.web.harness import World
from tradebaas.web.app import create_app

ROOT = Path(__file__).parents[2]


class Site(HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.anchors.add(value)


def build(home: Path) -> "subprocess.CompletedProcess[str]":
    """Build the pages in ``home``."""
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs")
    shutil.copy(ROOT / "zensical.toml", place)
    done = build(place)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@cache
def seen(page: Path) -> Site:
    return Site(page)


def dead_links(site: Path) -> Iterator[str]:
    """Links within the site that lead nowhere."""
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # its links are absolute: it is shown at any address
            continue
        for link in seen(page).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            target = target / "index.html" if target.is_dir() else target
            lost = not target.is_file()
            if lost or (parts.fragment and target.suffix == ".html"
                        and unquote(parts.fragment) not in seen(target).anchors):  # fmt: skip
                yield f"{page.relative_to(site)}: {link}"


def test_every_link_of_the_site_leads_somewhere(home: Path) -> None:
    assert list(dead_links(home / "site")) == []


def test_a_broken_link_fails_the_build(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "docs", tmp_path / "docs")
    shutil.copy(home / "zensical.toml", tmp_path)
    (tmp_path / "docs" / "index.md").write_text("# x\n\n[y](nothing.md)\n", encoding="utf-8")
    assert build(tmp_path).returncode != 0


def test_every_page_is_in_the_navigation() -> None:
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))

    def pages(entry: object) -> Iterator[str]:
        match entry:
            case str(name):
                yield name
            case list(entries):
                for each in entries:
                    yield from pages(each)
            case dict(named):
                for each in named.values():
                    yield from pages(each)

    listed = list(pages(settings["project"]["nav"]))
    there = [str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed) == sorted(there)


def test_the_settings_are_those_of_the_example() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "configuration.py"))["page"]()
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == drawn, "run: python scripts/configuration.py"


def test_the_page_of_the_api_names_every_endpoint() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    app: QuartTrio = create_app(World().shell())
    for method in ("GET", "POST"):
        table = page.split(f"| {method} |")[1].split("\n\n")[0]
        told = set(re.findall(r"^\| `(/[^`]*)`", table, re.MULTILINE))
        there = {rule.rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())}
        assert told == there
