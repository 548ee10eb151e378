"""The page of faults and bad input is about the tests that there are."""

from __future__ import annotations

import re

from support.reliability import PAGE, SECTIONS, claims, page


def test_the_page_has_every_claim_as_it_stands_in_its_test() -> None:
    """Only the counts of cases are of a run; `make reliability` writes it anew."""
    counts = re.compile(r" \| [^|]*\|$", re.MULTILINE)
    written = PAGE.read_text(encoding="utf-8")
    assert counts.sub("", written) == counts.sub("", page({}))
    assert "failed" not in "".join(counts.findall(written))


def test_every_claim_is_told() -> None:
    """A test without a sentence says nothing to who reads the page."""
    for file in (file for files in SECTIONS.values() for file in files):
        assert all(claim.text.endswith((".", ":")) for claim in claims(file)), file
