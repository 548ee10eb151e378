"""The page of faults and bad input is about the tests that there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.reliability import PAGE, SECTIONS, claims, page, read_results

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_has_every_claim_as_it_stands_in_its_test() -> None:
    """Only the counts of cases are of a run; `make reliability` writes it anew."""
    counts = re.compile(r" \| [^|]*\|$", re.MULTILINE)
    written = PAGE.read_text(encoding="utf-8")
    assert counts.sub("", written) == counts.sub("", page({}))
    assert not re.search("failed|not run", "".join(counts.findall(written)))


def test_a_test_is_known_whatever_its_case_and_its_worker_group(tmp_path: Path) -> None:
    """Names in results have a case in brackets, and after an @ the group that pytest-xdist ran."""
    (tmp_path / "junit.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.cloud.test_a" name="test_x@docker"/>'
        '<testcase classname="tests.cloud.test_a" name="test_x[1]@docker"/></testsuite>'
        "</testsuites>"
    )
    results = read_results(tmp_path / "junit.xml")
    assert results == {("tests/cloud/test_a.py", "test_x"): {"passed": 2}}


def test_every_claim_is_told() -> None:
    """A test without a sentence says nothing to who reads the page."""
    for file in (file for files in SECTIONS.values() for file in files):
        assert all(claim.text.endswith((".", ":")) for claim in claims(file)), file
