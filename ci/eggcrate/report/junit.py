"""JUnit XML, as CI systems read it: a test suite for each component, a test case for each proof.

The shape is the one that Jenkins, GitLab and pytest agree on:
https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import CellResult, Outcome, Proof
from eggcrate.report.document import log_name, session_errors
from eggcrate.report.plain import plain, tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from eggcrate.matrix.session import Session

_MOST = 50_000
"""Characters of output of a test case; readers of this format keep all of it in memory."""
_TAGS = {
    Outcome.FAILED: "failure",
    Outcome.TIMED_OUT: "failure",
    Outcome.KILLED: "failure",
    Outcome.BROKEN: "error",
    Outcome.INCOMPATIBLE: "skipped",
}


def junit(session: Session) -> bytes:
    """A run as XML. What was not selected is not part of it."""
    return junit_of(session.results, session_errors(session))


def junit_of(results: Iterable[CellResult], stopped: Sequence[Mapping[str, str]] = ()) -> bytes:
    """Results as XML.

    Args:
        results: of cells.
        stopped: what stood in the way of others, as ``matrix.json`` tells it.
    """
    proven = sorted(
        (result for result in results if result.outcome is not Outcome.NOT_SELECTED),
        key=lambda result: result.cell,
    )
    root = ET.Element("testsuites", name="eggcrate matrix")
    if stopped:
        suite = ET.SubElement(root, "testsuite", name="eggcrate")
        for error in stopped:
            case = ET.SubElement(
                suite, "testcase", classname="eggcrate", name=error["subject"], time="0.000"
            )
            told = ET.SubElement(case, "error", message=plain(error["what"]), type="error")
            told.text = plain("\n".join(error[part] for part in ("what", "why", "hint")))
    for component, mine in groupby(proven, key=lambda result: result.cell.component):
        suite = ET.SubElement(root, "testsuite", name=component)
        for result in mine:
            suite.extend(_cases(result))
    for suite in root:
        _count(suite, suite.findall("testcase"))
    _count(root, root.findall("testsuite/testcase"))
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _cases(result: CellResult) -> Iterator[ET.Element]:
    """One for each proof; one that says it all for a cell that came to none or was reused."""
    environment = result.cell.environment
    if not result.proofs:
        yield _case(result, environment, result.outcome, result)
    for proof in result.proofs:
        flaky = result.outcome is Outcome.FLAKY and proof.outcome is Outcome.PASSED
        outcome = Outcome.FLAKY if flaky else proof.outcome
        yield _case(result, f"{environment}: {proof.name}", outcome, proof)


def _case(
    result: CellResult, name: str, outcome: Outcome, evidence: CellResult | Proof
) -> ET.Element:
    case = ET.Element(
        "testcase", classname=result.cell.row, name=name, time=f"{evidence.seconds:.3f}"
    )
    known = {
        "outcome": outcome.value,
        "environment": result.cell.environment,
        "flavour": result.cell.flavour,
        "image": result.image,
        "attempts": str(result.attempts) if result.attempts > 1 else "",
        "memory-peak": str(evidence.memory_peak or ""),
        "command": result.command,
    }
    if isinstance(evidence, Proof):
        known["exit-code"] = "" if evidence.exit_code is None else str(evidence.exit_code)
        known["signal"] = str(evidence.signal or "")
        known["memory-limit"] = str(evidence.memory_limit or "")
    properties = ET.SubElement(case, "properties")
    for key, value in known.items():
        if value:
            ET.SubElement(properties, "property", name=key, value=plain(value))
    output, missing = tail(plain(evidence.output), _MOST)
    if missing:
        output = f"[{missing} characters before this are in {log_name(result)}]\n{output}"
    if tag := _TAGS.get(outcome):
        reason = plain(evidence.reason or result.reason)
        told = ET.SubElement(case, tag, message=reason, type=outcome.value)
        if tag != "skipped":
            told.text = output
            return case
    if outcome is Outcome.FLAKY:
        again = f"flaky: passed at attempt {result.attempts}: {plain(result.reason)}"
        ET.SubElement(case, "system-out").text = f"{again}\n{output}"
    return case


def _count(suite: ET.Element, cases: list[ET.Element]) -> None:
    counts = Counter(child.tag for case in cases for child in case)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
