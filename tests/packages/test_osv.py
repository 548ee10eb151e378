"""OSV records: which versions have a vulnerability, how bad it is, what fixes it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from eggcrate.errors import VulnerabilityDataError
from eggcrate.packages.osv import DEBIAN, PYPI, Package, Vulnerability, hits, parse
from eggcrate.packages.severity import Severity, severity_of

WORDS = (
    *("id", "affected", "package", "ecosystem", "name", "ranges", "type", "events"),
    *("introduced", "fixed", "versions", "severity", "score", "aliases"),
)
WORST = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def record(
    name: str = "six",
    events: list[dict[str, str]] | None = None,
    *,
    ecosystem: str = PYPI,
    versions: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A record about one package."""
    affected: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}}
    if events is not None:
        affected["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    if versions:
        affected["versions"] = versions
    return {"id": "X-1", "affected": [affected], **more}


def read(document: dict[str, Any], *names: str) -> Vulnerability:
    found = parse(document, where="here", names=names or ("six",)).vulnerability
    assert found
    return found


def pypi(version: str, name: str = "six") -> Package:
    return Package(ecosystem=PYPI, name=name, version=version)


@pytest.mark.parametrize(
    ("events", "affected", "fine"),
    [
        ([{"introduced": "0"}, {"fixed": "1.5"}], ["0.1", "1.4", "1.5rc1"], ["1.5", "2"]),
        ([{"introduced": "1.2"}, {"last_affected": "1.4"}], ["1.2", "1.4"], ["1.1", "1.4.1"]),
        ([{"introduced": "1"}], ["1", "99"], ["0.9"]),
        (
            [{"introduced": "0"}, {"fixed": "1"}, {"introduced": "2"}, {"fixed": "2.3"}],
            ["0.5", "2", "2.2"],
            ["1", "1.9", "2.3"],
        ),
        # In any order.
        ([{"fixed": "2.3"}, {"introduced": "2"}], ["2"], ["1", "2.3"]),
        # A bound that cannot be compared makes the range wider, not narrower.
        ([{"introduced": "0"}, {"fixed": "deadbeef"}], ["1", "9"], []),
        ([{"introduced": "deadbeef"}, {"fixed": "2"}], ["1"], ["2"]),
        ([{"introduced": "0"}, {"limit": "3"}], ["1"], []),
    ],
)
def test_ranges_are_read_as_the_format_says(
    events: list[dict[str, str]], affected: list[str], fine: list[str]
) -> None:
    """Introduced, fixed, last affected, several times over."""
    told = read(record(events=events))
    assert all(told.hits(pypi(version)) for version in affected)
    assert not any(told.hits(pypi(version)) for version in fine)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True), st.integers(0, 41))
def test_ranges_agree_with_a_plain_walk(marks: list[int], version: int) -> None:
    """The events cut the versions into pieces that are affected and not, in turn."""
    ordered = sorted(marks)
    events = [
        {"introduced" if place % 2 == 0 else "fixed": str(mark) if mark else "0"}
        for place, mark in enumerate(ordered)
    ]
    expected = sum(mark <= version for mark in ordered) % 2 == 1
    told = read(record(events=list(reversed(events))))
    assert told.hits(pypi(str(version))) is expected


def test_versions_are_compared_as_their_ecosystem_does() -> None:
    """PEP 440 for PyPI; epochs, tildes and revisions for Debian."""
    assert read(record(versions=["1.0"])).hits(pypi("1.0.0"))
    debian = read(
        record("glibc", [{"introduced": "0"}, {"fixed": "2.36-9+deb12u5"}], ecosystem="Debian:12"),
        "glibc",
    )

    def libc(version: str, ecosystem: str = f"{DEBIAN}:12") -> Package:
        return Package(ecosystem=ecosystem, name="glibc", version=version)

    assert debian.hits(libc("2.36-9+deb12u4"))
    assert debian.hits(libc("2.36-9+deb12u5~rc1"))
    assert not debian.hits(libc("2.36-9+deb12u10"))
    assert not debian.hits(libc("1:1.0-1"))
    assert not debian.hits(libc("2.36-9", "Debian:13"))
    assert not debian.hits(pypi("1", "glibc"))


def test_names_are_normalised() -> None:
    """As PEP 503 does, on both sides."""
    told = read(record("Foo.Bar_baz", [{"introduced": "0"}]), "foo-bar-baz")
    assert told.hits(pypi("1", "foo-bar-baz"))


def test_fixes_are_newer_versions_the_oldest_first() -> None:
    """Of all branches; those below are none."""
    events = [{"introduced": "0"}, {"fixed": "1.9"}, {"introduced": "2"}, {"fixed": "2.10"}]
    document = record(events=events)
    document["affected"].append(
        record(events=[{"introduced": "0"}, {"fixed": "2.9"}])["affected"][0]
    )
    assert read(document).fixes(pypi("2.1")) == ("2.9", "2.10")


def test_one_vulnerability_with_two_records_is_told_once() -> None:
    """By its aliases; what was withdrawn is not told at all."""
    events = [{"introduced": "0"}]
    one = read(record(events=events, aliases=["CVE-1"]))
    two = read({**record(events=events, aliases=["CVE-1"]), "id": "Y-1"})
    other = read({**record(events=events), "id": "Z-1"})
    gone = read({**record(events=events), "id": "W-1", "withdrawn": "2024-01-01T00:00:00Z"})
    found = hits([pypi("1"), pypi("1", "seven")], [one, two, other, gone])
    assert [hit.vulnerability.id for hit in found] == ["X-1", "Z-1"]
    with pytest.raises(VulnerabilityDataError, match="cannot be judged"):
        hits([pypi("one")], [one])


@pytest.mark.parametrize(
    ("vectors", "words", "expected"),
    [
        ([("CVSS_V3", WORST)], [], (Severity.CRITICAL, 9.8)),
        (
            [("CVSS_V3", "CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N")],
            ["HIGH"],
            (Severity.LOW, 1.8),
        ),
        ([("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P")], [], (Severity.HIGH, 7.5)),
        (
            [("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N")],
            [],
            (Severity.CRITICAL, 9.3),
        ),
        (
            [("CVSS_V3", "CVSS:3.1/nonsense"), ("CVSS_V3", "")],
            ["moderate"],
            (Severity.MEDIUM, None),
        ),
        ([("Ubuntu", "low")], ["unimportant"], (Severity.LOW, None)),
        ([], ["whatever"], (Severity.UNKNOWN, None)),
        ([], [], (Severity.UNKNOWN, None)),
    ],
)
def test_severities(
    vectors: list[tuple[str, str]], words: list[str], expected: tuple[Severity, float | None]
) -> None:
    """A vector wins over a word; of several the worst; what is not known is worse than all."""
    assert severity_of(vectors, words) == expected
    assert Severity.UNKNOWN > Severity.CRITICAL


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "id",
                        "affected",
                        "package",
                        "ecosystem",
                        "name",
                        "ranges",
                        "type",
                        "events",
                        "introduced",
                        "fixed",
                        "versions",
                        "severity",
                        "score",
                        "aliases",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=25,
    )
)
def test_whatever_stands_in_a_record(document: Any) -> None:
    """Only our own error comes out."""
    try:
        told = parse(document, where="here", names=("six", "", "0")).vulnerability
    except VulnerabilityDataError:
        return
    if told:
        told.hits(pypi("1"))
        assert sorted(told.fixes(pypi("1")), key=Version) == list(told.fixes(pypi("1")))
