"""Rules, exceptions, and rules of a company's own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.build.judgement import judge
from eggcrate.build.policy import Subject, exception_for
from eggcrate.packages.sizes import Size
from eggcrate.repo.policy import Growth, PackageRule, Policy, PolicyException

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 26)
FACTS: dict[str, Any] = {
    "name": "one",
    "platform": "linux/amd64",
    "description": "d",
    "owner": "team",
    "supported_until": None,
    "python": "3.11.2",
    "packages": {"pandas": "2.2", "six": "1.0"},
    "direct": frozenset({"pandas"}),
    "size": Size(download=10, unpacked=100),
    "before": {"pandas": "2.1"},
    "size_before": Size(download=8, unpacked=80),
    "licences": {},
    "others": {},
    "today": TODAY,
    "policy": Policy(),
    "where": "environments/one/pyproject.toml",
}


def subject(**changes: Any) -> Subject:
    return Subject(**{**FACTS, **changes})


def told(**changes: Any) -> list[tuple[str, str, bool]]:
    """Rule, package and whether it counts, of all that is found."""
    found = judge([subject(**changes)])
    return [(one.rule, one.package, one.counts) for one in found.violations]


def rule(text: str, name: str = "", specifier: str = "") -> PackageRule:
    return PackageRule(name=name or text, specifier=specifier, text=text)


PANDAS_2 = rule("pandas<3", "pandas", "<3")
DENY = Policy(deny=(PANDAS_2,), places={"deny": "pyproject.toml:9"})


def exception(**changes: Any) -> PolicyException:
    facts: dict[str, Any] = {
        "rule": "deny",
        "package": "",
        "reason": "because",
        "until": TODAY,
        "where": "environments/one/pyproject.toml:7",
    }
    return PolicyException(**{**facts, **changes})


@pytest.mark.parametrize(
    ("policy", "facts", "expected"),
    [
        (Policy(), {}, []),
        (Policy(max_size=100), {}, []),
        (Policy(max_size=99), {}, [("max-size", "", True)]),
        (Policy(max_size=99), {"size": None}, [("max-size", "", False)]),
        (Policy(max_growth=Growth(size=20, text="20B")), {}, []),
        (Policy(max_growth=Growth(share=0.2, text="20%")), {}, [("max-growth", "", True)]),
        (Policy(max_growth=Growth(size=1, text="1B")), {"before": None}, []),
        (Policy(max_growth=Growth(size=1, text="1")), {"size_before": None}, [("max-growth", "", False)]),
        (DENY, {}, [("deny", "pandas", True)]),
        (Policy(deny=(rule("pandas>=3", "pandas", ">=3"),)), {}, []),
        (Policy(deny=(rule("p*"),)), {}, [("deny", "pandas", True)]),
        (Policy(allow=(rule("pandas"),)), {}, [("allow", "six", True)]),
        (Policy(align=("six",)), {"others": {"two": {"six": "1.0"}, "three": {}}}, []),
        (Policy(align=("six",)), {"others": {"two": {"six": "2.0"}}}, [("align", "six", True)]),
        (Policy(require=("owner", "supported-until")), {}, [("require", "", True)]),
        (Policy(), {"supported_until": TODAY}, [("supported-until", "", False)]),
        (Policy(), {"supported_until": TODAY - timedelta(1)}, [("supported-until", "", True)]),
        (Policy(), {"supported_until": TODAY + timedelta(91)}, []),
        (
            Policy(allow_licences=("MIT",)),
            {"licences": {"a": "MIT", "b": "GPL-3.0-only", "c": "", "d": None}},
            [
                ("allow-licences", "b", True),
                ("allow-licences", "c", True),
                ("allow-licences", "", False),
            ],
        ),
        (
            Policy(deny_licences=("GPL-*",)),
            {"licences": {"a": "MIT OR GPL-3.0-only", "b": "GPL-3.0-only", "c": ""}},
            [("deny-licences", "b", True)],
        ),
    ],
)
def test_rules(
    policy: Policy, facts: dict[str, Any], expected: list[tuple[str, str, bool]]
) -> None:
    """Each at its bound; what cannot be known warns, and never passes silently or fails."""
    assert told(policy=policy, **facts) == expected


def test_an_exception_holds_until_its_day() -> None:
    """On its last day it holds; a day later the rule is broken again, and it is said why."""
    [one] = judge([subject(policy=DENY, exceptions=(exception(),))]).violations
    assert not one.counts
    assert one.exception == exception()
    late = exception(until=TODAY - timedelta(1))
    [one] = judge([subject(policy=DENY, exceptions=(late,))]).violations
    assert one.counts
    assert one.expired == late
    assert one.where == "pyproject.toml:9"


def test_an_exception_is_for_its_rule_and_package() -> None:
    """Another package is none of its business, and one that nothing needs is told."""
    other = exception(package="six")
    assert told(policy=DENY, exceptions=(other,)) == [
        ("deny", "pandas", True),
        ("exceptions", "six", False),
    ]
    assert told(policy=DENY, exceptions=(exception(package="pandas"),)) == [
        ("deny", "pandas", False)
    ]


def test_the_entry_that_asks_is_valid(tmp_path: Path) -> None:
    """What a violation proposes is read, and is what excuses it."""
    from eggcrate.repo.policy import read_exceptions  # noqa: PLC0415 - used here only

    [one] = judge([subject(policy=DENY)]).violations
    (tmp_path / "pyproject.toml").write_text(exception_for(one, TODAY))
    asked = read_exceptions(tmp_path, tmp_path)
    assert told(policy=DENY, exceptions=asked) == [("deny", "pandas", False)]


def test_two_platforms_tell_the_same_once() -> None:
    """An environment is one thing to its owner."""
    subjects = [subject(policy=DENY), subject(policy=DENY, platform="linux/arm64")]
    assert len(judge(subjects).violations) == 1


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed distribution with a policy, whose module is to be written."""
    info = tmp_path / "acme_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    module = f"acme_rules_{tmp_path.name.replace('-', '_')}"
    (info / "entry_points.txt").write_text(f"[eggcrate.policies]\nacme = {module}:check\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path / f"{module}.py"


def test_a_company_has_rules_of_its_own(plugin: Path) -> None:
    """They see the environment and their settings, and exceptions apply to them as well."""
    plugin.write_text(
        "def check(subject, settings):\n"
        "    for name in subject.packages:\n"
        "        if name in settings['forbidden']:\n"
        "            yield {'what': f'{name} is not ours', 'package': name}\n"
        "    yield {'what': 'mind this', 'warning': True}\n"
    )
    policy = Policy(plugins={"acme": {"forbidden": ["six"]}}, places={"acme": "pyproject.toml:3"})
    found = judge([subject(policy=policy)])
    assert [(one.rule, one.what, one.counts, one.where) for one in found.violations] == [
        ("acme", "six is not ours", True, "pyproject.toml:3"),
        ("acme", "mind this", False, "pyproject.toml:3"),
    ]
    excused = (exception(rule="acme", package="six"),)
    assert not any(one[2] for one in told(policy=policy, exceptions=excused))


@pytest.mark.parametrize(
    "code", ["    return [3]", "    return 3", "    return [{'why': 'x'}]", "    raise ValueError('x')"]
)
def test_a_plugin_that_fails_is_named(plugin: Path, code: str) -> None:
    """It stops no other rule, and the run is not good."""
    plugin.write_text(f"def check(subject, settings):\n{code}\n")
    found = judge([subject(policy=DENY)])
    assert [one.rule for one in found.violations] == ["deny"]
    [error] = found.errors.values()
    assert "acme" in error.what
    assert not found.good


def test_a_plugin_may_say_nothing_or_a_sentence(plugin: Path) -> None:
    """None is nothing, and a text is a finding."""
    plugin.write_text("def check(subject, settings):\n    return None\n")
    assert told() == []
