"""The page: it needs nothing from elsewhere, escapes what it is told, and can be read by anyone."""

import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from report_kit import FINDING, RUN, broken, full, passed

from chaos.report import page, plots
from chaos.report.sample import Sample
from chaos.report.verdict import INVARIANTS, Run, Section, Tally, Verdict

EMPTY = {"meta", "link", "br", "path", "use"}


class Seen(HTMLParser):
    """The elements of a page with their attributes, whether they nest, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def seen(verdict: Verdict) -> Seen:
    return Seen(page.encode(verdict).decode())


@pytest.mark.parametrize("verdict", [passed(), broken()], ids=["passed", "failed"])
def test_it_loads_nothing_and_runs_nothing(verdict: Verdict) -> None:
    text = page.encode(verdict).decode()
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    made = Seen(text)
    assert not {"script", "iframe", "img", "object", "embed"} & {tag for tag, _ in made.elements}
    sources = [a.get("href") or a.get("src") for _, a in made.elements if "href" in a or "src" in a]
    assert all(source and source.startswith(("#", "data:")) for source in sources)


@pytest.mark.parametrize("verdict", [passed(), broken()], ids=["passed", "failed"])
def test_it_can_be_read_without_eyes(verdict: Verdict) -> None:
    made = seen(verdict)
    assert made.of("html") == [{"lang": "en"}]
    assert len(made.of("h1")) == 1
    assert all(head.get("scope") in ("col", "row") for head in made.of("th"))
    drawings = made.of("svg")
    assert len(drawings) == len(made.of("figure")) == 5
    assert all(d["role"] == "img" and d["aria-label"] for d in drawings)
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in made.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids
        assert attributes.get("href", "#").removeprefix("#") in ("", "data:,", *ids)


def test_the_verdict_comes_first_and_says_why() -> None:
    assert seen(passed()).words.startswith(
        "Passed: chaos sim chaos sim ✓ Passed 200 seeds, 9,573 deaths, 0 violations"
    )
    words = seen(broken()).words
    assert words.startswith("Failed: chaos sim chaos sim ✕ Failed 2 violations 1 mutant survived")
    for word in (
        "MISSING",
        "SURVIVED",
        "NEVER CHECKED",
        "VIOLATED, 1 against 7 (7 order requests)",
    ):
        assert word in words


def test_it_says_all_that_there_is_to_say() -> None:
    words = seen(passed()).words
    for text in (
        *INVARIANTS, *INVARIANTS.values(), *full().faults, *full().figures, "SIGNAL_DETECTED",
        "tc: no netem in this kernel", "Points by kind", RUN.command, RUN.commit, "AMD EPYC",
    ):  # fmt: skip
        assert text in words
    told = seen(broken()).words
    for text in (FINDING.text, *FINDING.evidence, FINDING.replay, "seed 71, 1209.4 s"):
        assert text in told


def test_no_line_breaks_between_a_figure_and_its_unit() -> None:
    tally = Tally(
        virtual_ms=1_819_000,
        recovery={"new process": Sample.of([0.34, 75.0])},
        sections=(Section("paces", ("rounds", "p50"), (("0 to 9", "3 min 20 s"),)),),
    )
    text = "".join(seen(Verdict(replace(RUN, seconds=61.0, command="play '3 s'"), tally)).text)
    for figure in ("30\xa0min 19\xa0s", "75\xa0s", "340\xa0ms", "3\xa0min 20\xa0s", "61\xa0s"):
        assert figure in text
    assert "play '3 s'" in text  # a command is for copying


def test_naked_says_by_whom_and_by_which_clock() -> None:
    naked = {"own": Sample(), "by sabotage": Sample.of([0.5, 1.25])}
    words = seen(Verdict(RUN, Tally(naked=naked))).words
    assert (
        "Longest naked 1.25 s without a full stop, in seconds of the daemon's clock; "
        "own: none; by sabotage: 1.25 s of 2"
    ) in words


def test_what_it_is_told_is_escaped() -> None:
    evil = "<script>alert(1)</script>\"'&"
    tally = Tally(
        faults={evil: 1},
        deaths={evil: {evil: 1, "x": 2}},
        recovery={evil: Sample.of([1])},
        findings=(replace(FINDING, text=evil, evidence=(evil,), where=evil, replay=evil),),
        sections=(Section(evil, (evil,), ((evil,),)),),
    )
    made = seen(Verdict(replace(RUN, title=evil, command=evil), tally))
    assert made.of("script") == []
    assert made.words.count("<script>alert(1)</script>") >= 10


def test_a_run_that_counted_nothing_has_a_page() -> None:
    made = seen(Verdict(Run("x", "y", "rounds", 0), Tally()))
    assert made.of("svg") == []
    assert "no rounds were run" in made.words


def test_the_same_verdict_gives_the_same_bytes() -> None:
    assert page.encode(passed()) == page.encode(passed())


# --------------------------------------------------------------------------------------- the plots


def test_colours_are_those_of_the_page() -> None:
    drawn = plots.stacked("n", {"a": {"x": 1, "y": 2}}, ("x", "y"))
    assert not re.search("#[0-9a-f]{6}", drawn)
    assert {"var(--series-0)", "var(--series-1)", "var(--ink)", "var(--line)"} <= set(
        re.findall(r"var\(--[\w-]+\)", drawn)
    )


def test_text_stays_text_and_is_said_in_words_too() -> None:
    drawn = plots.stacked("n", {"IDLE": {"x": 1_500, "y": 2}}, ("x", "y"))
    assert ">IDLE</text>" in drawn
    assert ">1,502</text>" in drawn
    assert 'aria-label="IDLE: x 1,500, y 2"' in drawn


def test_too_many_bars_are_gathered() -> None:
    drawn = plots.bars("n", {f"kind {n}": n for n in range(30)})
    assert drawn.count("</text>") == 2 * plots.MOST_BARS
    assert ">17 other kinds</text>" in drawn
    assert ">136</text>" in drawn  # 0 + 1 + ... + 16


@pytest.mark.parametrize("values", [[0.0], [1e-7], [5.0], [0.001, 90_000.0], [0.34] * 3])
def test_any_sample_can_be_drawn(values: list[float]) -> None:
    drawn = plots.distribution("n", {"a": Sample.of(values), "none": Sample()})
    assert ">a</text>" in drawn
    assert "none" not in drawn.replace("fill: none", "")
    assert plots.distribution("n", {"none": Sample()}) == ""


def test_no_name_on_an_axis_is_cut_off_at_the_edge() -> None:
    drawn = plots.distribution("n", {"a": Sample.of([0.00999, 0.1, 1.0, 10.0, 30.0])})
    assert ">10 ms</text>" not in drawn  # it would stand half outside
    assert ">100 ms</text>" in drawn
    assert ">10 s</text>" in drawn
