"""The verdict as JUnit XML, for a CI system: one test case for each thing that could have failed.

An invariant, a required rare situation, a mutant and a kind of fault that never struck is a test
case each; a fault that the machine does not permit is a skipped one. A failure carries where it was
found, its text, its evidence and the command that shows it again. The form is the common part of
what CI systems read: one suite in ``testsuites``, at most one outcome in a test case, no character
that XML forbids.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator

from msgspec import Struct

from chaos.report.verdict import INVARIANTS, Finding, Mutant, Tally, Verdict, Visits

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, not even escaped."""


class Case(Struct, frozen=True):
    """One test case; at most one of ``failure`` and ``skipped`` is filled. ``text`` is long."""

    group: str
    name: str
    failure: str = ""
    text: str = ""
    skipped: str = ""
    seconds: float = 0.0


def encode(verdict: Verdict) -> bytes:
    """The XML, in UTF-8."""
    cases = list(_cases(verdict))
    failures, skipped = sum(bool(c.failure) for c in cases), sum(bool(c.skipped) for c in cases)
    counts = {
        "name": verdict.run.title,
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(skipped),
        "time": f"{verdict.run.seconds:.3f}",
    }
    root = ET.Element("testsuites", _clean(counts))
    suite = ET.SubElement(root, "testsuite", _clean(counts))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("command", verdict.run.command), ("commit", verdict.run.commit)):
        ET.SubElement(properties, "property", _clean({"name": name, "value": value}))
    for case in cases:
        _add(suite, case, verdict.run.title)
    ET.indent(root, " ")
    packed: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return packed + b"\n"


def plain(text: str) -> str:
    r"""``text`` with each character that XML forbids written out, as ``\x1b`` for example."""
    return FORBIDDEN.sub(lambda found: ascii(found.group())[1:-1], text)


def _add(suite: ET.Element, case: Case, title: str) -> None:
    names = {"classname": f"{title}.{case.group}", "name": case.name, "time": f"{case.seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", _clean(names))
    if case.failure:
        failure = ET.SubElement(element, "failure", _clean({"message": case.failure}))
        failure.set("type", case.group)
        failure.text = plain(case.text)
    elif case.skipped:
        ET.SubElement(element, "skipped", _clean({"message": case.skipped}))


def _clean(attributes: dict[str, str]) -> dict[str, str]:
    return {name: plain(value) for name, value in attributes.items()}


# --------------------------------------------------------------------------------------- the cases


def _cases(verdict: Verdict) -> Iterator[Case]:
    run, tally = verdict.run, verdict.tally
    yield Case("run", "something was run", verdict.unplayed)
    yield Case("run", "it came to its end", run.ended)
    for name in INVARIANTS:
        yield _invariant(tally, name)
    for name, visits in tally.rare.items():
        if visits.wanted:
            yield _situation(name, visits)
    yield from map(_mutant, tally.mutants)
    for name in tally.unstruck:
        yield Case("faults", name, "never struck")
    for skipped in tally.skipped:
        yield Case("faults", skipped.fault, skipped=skipped.reason)


def _invariant(tally: Tally, name: str) -> Case:
    findings = [finding for finding in tally.findings if finding.invariant == name]
    checked = tally.checked.get(name)
    if findings:
        first, more = findings[0], len(findings) - 1
        others = f" (and {more} more)" if more else ""
        message = f"{first.where}: {first.text}{others}"
        return Case("invariants", name, message, "\n\n".join(map(_told, findings)))
    if checked is None:
        return Case("invariants", name, skipped="not judged by this run")
    return Case("invariants", name, "" if checked else "never checked")


def _situation(name: str, visits: Visits) -> Case:
    if not visits.missing:
        return Case("rare situations", name)
    message = f"visited {visits.times} times of {visits.wanted} required"
    return Case("rare situations", name, message)


def _mutant(mutant: Mutant) -> Case:
    if not mutant.survived:
        return Case("mutants", mutant.name, seconds=mutant.seconds)
    text = _lines(("", mutant.where), ("again: ", mutant.replay))
    return Case("mutants", mutant.name, "survived", text, seconds=mutant.seconds)


def _told(finding: Finding) -> str:
    evidence = [("    ", line) for line in finding.evidence]
    where = ", ".join(filter(None, (finding.where, finding.at)))
    return _lines(("", where), ("", finding.text), *evidence, ("again: ", finding.replay))


def _lines(*parts: tuple[str, str]) -> str:
    return "\n".join(f"{before}{text}" for before, text in _filled(parts))


def _filled(parts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((before, text) for before, text in parts if text)
