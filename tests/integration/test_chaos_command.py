"""``python -m chaos``: what its commands refuse, in which words, and which files they write."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from chaos.__main__ import main
from chaos.real import campaign

USAGE = 2
REFUSED = [
    ("real --profile kil", "there is no profile 'kil'; did you mean 'kill'?"),
    ("real --profile none.toml", "there is no profile 'none.toml'"),
    ("real --rounds 0", "0 is not in the range x>=1"),
    ("real --seed one", "'one' is not a valid integer"),
    ("real --break nothing", "'nothing' is not one of"),
    ("real --prove --profile kill", "leave --profile, --rounds and --break out"),
    ("real --prove --rounds 3", "leave --profile, --rounds and --break out"),
    ("real --prove --break resend", "leave --profile, --rounds and --break out"),
    ("real --prove --list", "--list only shows, --prove plays"),
    ("real --keep .", ". is not empty; give a new directory"),
    ("real --junit nowhere/x.xml", "the directory nowhere is not there"),
    ("sim --seeds 0", "0 is not in the range x>=1"),
    ("sim --seed -1", "-1 is not in the range x>=0"),
    ("sim --seed 1 --first 1", "give one"),
    ("sim --seed 1 --seeds 3", "give one"),
    ("sim --trace", "--trace and --mutant need --seed"),
    ("sim --mutant no-sync", "--trace and --mutant need --seed"),
    ("sim --seed 1 --mutant nothing", "'nothing' is not one of"),
    ("sim --profile nothing", "'nothing' is not one of"),
    ("sim --html nowhere/x.html", "the directory nowhere is not there"),
    ("enumerate --scenario nothing", "'nothing' is not one of"),
    ("enumerate --outcome nothing", "'nothing' is not one of"),
    ("enumerate --cut nothing", "'nothing' is not one of"),
    ("enumerate --point 3", "--point needs --scenario"),
    ("enumerate --scenario stop --trace", "--trace, --power and --second need --point"),
    ("enumerate --scenario stop --second 2", "--trace, --power and --second need --point"),
    ("enumerate --cut inside --outcome lost", "--outcome and --cut choose different trials"),
    ("enumerate --scenario stop --point -1", "-1 is not in the range x>=0"),
    ("mutants --only nothing", "'nothing' is not one of"),
    ("mutants --json nowhere/x.json", "the directory nowhere is not there"),
    ("fuzz --frames 0", "0 is not in the range x>=1"),
    ("fuzz --first -1", "-1 is not in the range x>=0"),
    ("fuzz --seed one", "'one' is not a valid integer"),
    ("fsync --seconds -1", "-1.0 is not in the range x>=0"),
    ("fsync --break resend", "'resend' is not one of"),
    ("fsync --json nowhere/x.json", "the directory nowhere is not there"),
    ("replay", "Missing option '--candles'"),
    ("replay --candles none.csv", "File 'none.csv' does not exist"),
    ("replay --candles .", "File '.' is a directory"),
    ("replay --candles here.csv --instrument ETH-PERPETUAL", "'ETH-PERPETUAL' is not one of"),
    ("nothing", "No such command 'nothing'"),
]
QUICK = [
    ("real --profile sigkill --rounds 1", "rounds"),
    ("sim --seed 3 --deaths 1", "seed"),
    ("enumerate --scenario stop --point 3", "trial"),
    ("mutants --only no-sync", "mutants"),
    ("fuzz --frames 1", "frames"),
]


def run(words: str, *more: str) -> Result:
    return CliRunner().invoke(main, [*words.split(), *more])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In a directory that has one file, and no other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.csv").write_text("nothing of use\n")
    return tmp_path


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("words", "told"), REFUSED)
def test_what_means_nothing_is_refused_before_anything_runs(words: str, told: str) -> None:
    result = run(words)
    assert result.exit_code == USAGE, result.output
    assert told in " ".join(result.output.split())


@pytest.mark.parametrize(("words", "unit"), QUICK, ids=lambda words: words.split()[0])
def test_every_report_that_is_asked_for_is_written(words: str, unit: str, tmp_path: Path) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "html", "junit")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    result = run(words, *options)
    assert result.exit_code == 0, result.output
    document = json.loads(files["json"].read_bytes())
    assert document["passed"]
    assert document["run"]["unit"] == unit
    assert document["run"]["command"].startswith(f"python -m chaos {words}")
    assert document["run"]["title"] in files["html"].read_text("utf-8")
    suites = ElementTree.fromstring(files["junit"].read_bytes())
    assert int(suites.attrib["tests"]) > 0
    assert int(suites.attrib["failures"]) == 0


def test_a_profile_of_which_nothing_is_permitted_fails_with_reports_that_say_why(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = (
        'about = "x"\nrounds = 2\n'
        '[faults.strace-fdatasync]\nends = ["killed"]\n[faults.strace-sendto]\nends = ["killed"]\n'
    )
    (elsewhere / "mine.toml").write_text(profile)
    monkeypatch.setattr(campaign, "refusal", lambda need: f"{need} is not there")
    result = run(
        "real --profile mine.toml --json out.json --html out.html --junit out.xml --keep k"
    )
    assert result.exit_code == 1, result.output
    why = "nothing could be played: this machine permits none of it"
    *_, verdict = [line for line in result.output.splitlines() if "written: " not in line]
    assert verdict == f"FAILED: {why}"
    document = json.loads((elsewhere / "out.json").read_bytes())
    assert (document["passed"], document["failures"]) == (False, [why])
    names = ["strace-fdatasync", "strace-sendto"]
    assert document["tally"]["skipped"] == [
        {"fault": name, "reason": "strace is not there"} for name in names
    ]
    assert why in (elsewhere / "out.html").read_text("utf-8")
    cases = ElementTree.parse(elsewhere / "out.xml").iter("testcase")
    outcomes = {
        case.attrib["name"]: (case[0].tag, case[0].get("message")) for case in cases if len(case)
    }
    assert outcomes["something was run"] == ("failure", why)
    assert [outcomes[name] for name in names] == [("skipped", "strace is not there")] * 2
    assert [tag for tag, _ in outcomes.values()].count("failure") == 1
    assert not (elsewhere / "k").exists()


@pytest.mark.usefixtures("elsewhere")
def test_a_candle_file_that_is_none_is_told_of_without_a_traceback() -> None:
    result = run("replay --candles here.csv")
    assert result.exit_code == 1
    assert "here.csv: row 1: missing column timestamp" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("real --list", "SIGKILL at a random instant"),
        ("mutants --list", "the new state is published before its commit"),
    ],
)
def test_a_list_shows_and_plays_nothing(words: str, told: str) -> None:
    result = run(words)
    assert result.exit_code == 0
    assert told in " ".join(result.output.split())
