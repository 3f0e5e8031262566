"""JUnit XML: its structure is what CI systems accept, and each failure is a test case."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from report_kit import FINDING, RUN, broken, passed

from chaos.report.junit import encode, plain
from chaos.report.verdict import INVARIANTS, Skipped, Tally, Verdict

COUNTS = ("tests", "failures", "errors", "skipped")


def checked(raw: bytes) -> ET.Element:
    """The root, after a check of what the schemas of Jenkins, GitLab and Surefire have in common:

    the nesting, the attributes that each element needs, at most one outcome for a test case, and
    counts that are true.
    """
    root = ET.fromstring(raw)
    assert root.tag == "testsuites"
    assert [suite.tag for suite in root] == ["testsuite"]
    suite = root[0]
    for element in (root, suite):
        assert element.get("name")
        assert float(element.attrib["time"]) >= 0
    assert suite[0].tag == "properties"
    assert {child.tag for child in suite[1:]} == {"testcase"}
    assert all(set(item.attrib) == {"name", "value"} for item in suite[0])
    cases = suite.findall("testcase")
    for case in cases:
        assert case.get("name")
        assert case.get("classname")
        assert float(case.attrib["time"]) >= 0
        assert len(case) <= 1
        assert all(outcome.tag in ("failure", "skipped") for outcome in case)
        assert all(outcome.get("message") for outcome in case)
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == len(names)
    outcomes = [case[0].tag if len(case) else "" for case in cases]
    true = (len(cases), outcomes.count("failure"), 0, outcomes.count("skipped"))
    for element in (root, suite):
        assert tuple(int(element.attrib[name]) for name in COUNTS) == true
    return root


def outcome_of(root: ET.Element, name: str) -> ET.Element | None:
    case = root.find(f".//testcase[@name='{name}']")
    assert case is not None, name
    return case[0] if len(case) else None


def test_a_run_that_passed_has_a_case_for_each_thing_that_could_have_failed() -> None:
    root = checked(encode(passed()))
    assert root.get("failures") == "0"
    for name in (*INVARIANTS, "late fill after cancel", "no fsync"):
        assert outcome_of(root, name) is None
    skipped = outcome_of(root, "netem delay")
    assert skipped is not None
    assert (skipped.tag, skipped.get("message")) == ("skipped", "tc: no netem in this kernel")


def test_each_flaw_is_a_failed_case() -> None:
    root = checked(encode(broken()))
    for name in ("Once", "Protected", "Bounded", "late fill", "cancel lost", "resend"):
        outcome = outcome_of(root, name)
        assert outcome is not None, name
        assert outcome.tag == "failure"
    gated = outcome_of(root, "Gated")
    assert gated is not None
    assert gated.tag == "skipped"
    assert root.find(".//testcase[@name='not asked for']") is None


def test_a_violation_carries_everything_that_is_needed_to_see_it_again() -> None:
    again = replace(FINDING, where="seed 90")
    root = checked(encode(Verdict(RUN, Tally(findings=(FINDING, again)))))
    failure = outcome_of(root, "Once")
    assert failure is not None
    assert "(and 1 more)" in failure.attrib["message"]
    text = failure.text or ""
    for part in ("seed 71", "1209.4 s", FINDING.text, *FINDING.evidence, FINDING.replay, "seed 90"):
        assert part in text


def test_a_run_of_nothing_fails() -> None:
    outcome = outcome_of(
        checked(encode(Verdict(replace(RUN, trials=0), Tally()))), "something was run"
    )
    assert outcome is not None
    assert outcome.tag == "failure"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_at_all_gives_xml_that_can_be_read(text: str) -> None:
    finding = replace(FINDING, text=text or "x", evidence=(text,), where=text)
    tally = Tally(findings=(finding,), skipped=(Skipped("f", text or "x"),))
    failure = outcome_of(checked(encode(Verdict(RUN, tally))), "Once")
    assert failure is not None
    assert re.sub(r"\s", "", plain(text)) in re.sub(r"\s", "", failure.text or "")


def test_what_xml_forbids_is_written_out() -> None:
    assert plain("a\x1b[31m\x00\ud800\ufffe\tb\n") == r"a\x1b[31m\x00\ud800\ufffe" + "\tb\n"
