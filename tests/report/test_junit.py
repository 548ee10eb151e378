"""JUnit XML as CI systems read it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from eggcrate.matrix.cells import Outcome
from eggcrate.report.junit import junit
from support.matrices import HOSTILE, proof, result, session_of, with_everything

_ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message", "type"},
    "property": {"name", "value"},
}
_CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"properties", "failure", "error", "skipped", "system-out"},
    "properties": {"property"},
}


@pytest.fixture(scope="module")
def root() -> ET.Element:
    return ET.fromstring(junit(with_everything()))  # noqa: S314 - our own


def case(root: ET.Element, classname: str, name: str) -> ET.Element:
    return next(
        one
        for one in root.iter("testcase")
        if (one.get("classname"), one.get("name")) == (classname, name)
    )


def properties(element: ET.Element) -> dict[str | None, str | None]:
    return {one.get("name"): one.get("value") for one in element.iter("property")}


def test_the_shape_is_the_common_one(root: ET.Element) -> None:
    """Elements and attributes that readers know, and no others; numbers are numbers."""
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.keys()) == _ATTRIBUTES.get(element.tag, set()), element.tag
        assert {child.tag for child in element} <= _CHILDREN.get(element.tag, set())
        for name in ("tests", "failures", "errors", "skipped"):
            assert int(element.get(name, "0")) >= 0
        assert float(element.get("time", "0")) >= 0


def test_counts_are_those_of_the_cases(root: ET.Element) -> None:
    """Each suite's, and all of them together."""
    for suite in [root, *root]:
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name, "")) == len(list(suite.iter(tag)))
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))
    assert [suite.get("name") for suite in root] == [
        *("eggcrate", "clean", "predict", "split", "train"),
    ]


def test_each_proof_is_a_case(root: ET.Element) -> None:
    """With its evidence; a proof that passed beside one that did not is green."""
    passed = case(root, "predict", "sklearn-1-7: tests")
    killed = case(root, "predict", "sklearn-1-7: example large")
    assert [child.tag for child in passed] == ["properties"]
    failure = killed.find("failure")
    assert failure is not None
    assert failure.get("type") == "killed"
    assert failure.get("message") == "used 4.3 GB of the 4.3 GB that it may use"
    assert properties(killed)["signal"] == "9"
    assert properties(killed)["memory-limit"] == "4294967296"


def test_a_hostile_log_is_text(root: ET.Element) -> None:
    """Markup, CDATA ends, control characters and lone surrogates leave well-formed XML."""
    failure = case(root, "train[trees]", "sklearn-1-7: tests").find("failure")
    failures = [one for one in root.iter("failure") if "</script>" in (one.text or "")]
    assert failure is None
    assert len(failures) == 1
    assert "]]> &" in (failures[0].text or "")
    junit(session_of(result("a", "b", Outcome.FAILED, reason=HOSTILE, output=HOSTILE)))


def test_other_outcomes(root: ET.Element) -> None:
    """Broken is an error, incompatible is skipped with its reason, flaky says so, reused passes."""
    assert case(root, "clean", "sklearn-1-5").find("error") is not None
    skipped = case(root, "train", "bare").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "needs pandas>=2, which is not there"
    flaky = case(root, "clean", "sklearn-1-7: tests")
    assert (flaky.findtext("system-out") or "").startswith("flaky: passed at attempt 2: timing")
    assert properties(flaky)["outcome"] == "flaky"
    assert properties(case(root, "predict", "sklearn-1-5"))["outcome"] == "reused"
    assert not [one for one in root.iter("testcase") if one.get("name") == "split in sklearn-1-5"]


def test_errors_before_any_cell_are_cases(root: ET.Element) -> None:
    """A component that cannot be read makes CI red, by name."""
    error = case(root, "eggcrate", "components/odd").find("error")
    assert error is not None
    assert "mend" in (error.text or "")


def test_long_output_is_cut_and_says_where_all_of_it_is() -> None:
    """Readers keep these files in memory."""
    long = result("a", "b", Outcome.FAILED, proofs=(proof(Outcome.FAILED, output="x\n" * 90_000),))
    parsed = ET.fromstring(junit(session_of(long)))  # noqa: S314 - our own
    text = parsed.findtext(".//failure") or ""
    assert len(text) < 51_000
    assert "are in logs/b/a.log]" in text
