"""Rules and exceptions are read as they are written, and refused with file and line."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.repo.environments import read_environment
from eggcrate.repo.policy import Growth, environment_policy, read_exceptions, read_policy
from eggcrate.repo.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, common: str = "", own: str = "") -> Path:
    (root / "pyproject.toml").write_text(f'[project]\nname = "all"\n\n{common}')
    folder = root / "environments" / "one"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "one"\n\n{own}')
    return folder


def test_an_environment_replaces_what_it_names(tmp_path: Path) -> None:
    """All else stays as it is for everyone, and each rule knows where it is set."""
    folder = write(
        tmp_path,
        '[tool.eggcrate.policy]\nmax-size = "1GB"\nmax-growth = "10%"\n'
        'deny = ["protobuf<4", "Google_Cloud.*"]\n'
        "[tool.eggcrate.policy.plugins]\nacme = { level = 2 }\n",
        '[tool.eggcrate.policy]\nmax-size = "2GB"\n',
    )
    common = read_policy(tmp_path)
    own = environment_policy(folder, common, tmp_path)
    assert (common.max_size, own.max_size) == (10**9, 2 * 10**9)
    assert own.max_growth == Growth(share=0.1, text="10%") == common.max_growth
    assert [rule.name for rule in own.deny] == ["protobuf", "google-cloud-*"]
    assert own.places["max-size"] == "environments/one/pyproject.toml:5"
    assert own.places["deny"] == "pyproject.toml:7"
    assert own.plugins == {"acme": {"level": 2}}
    assert own.places["acme"] == "pyproject.toml:9"
    read_settings(tmp_path, {})  # which refuses what it does not know


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('max-sise = "1GB"', "pyproject.toml:5: tool.eggcrate.policy.max-sise is not a setting"),
        ('max-size = "much"', "pyproject.toml:5: tool.eggcrate.policy.max-size is no size"),
        ('max-growth = "-5%"', "pyproject.toml:5"),
        ('deny = ["protobuf<<4"]', "pyproject.toml:5: 'protobuf<<4' is not a package"),
        ('deny = [">=4"]', "pyproject.toml:5: '>=4' is not a package"),
        ('deny = "x"', "must be a list of strings"),
        ('require = ["name"]', "cannot be required"),
    ],
)
def test_a_rule_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """A typo must not switch a rule off."""
    write(tmp_path, f"[tool.eggcrate.policy]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        read_policy(tmp_path)
    assert told in caught.value.what


def test_aligning_is_about_all(tmp_path: Path) -> None:
    """One environment cannot ask for it; it can ask for an exception."""
    folder = write(tmp_path, own='[tool.eggcrate.policy]\nalign = ["six"]\n')
    with pytest.raises(ConfigError, match="is about all environments"):
        environment_policy(folder, read_policy(tmp_path), tmp_path)


def test_exceptions_are_read_with_their_lines(tmp_path: Path) -> None:
    """Environments may hold them beside their settings."""
    entry = '[[tool.eggcrate.exceptions]]\nrule = "{}"\nreason = "r"\nuntil = 2027-03-31\n'
    folder = write(tmp_path, own=entry.format("deny") + 'package = "Py_YAML"\n' + entry.format("x"))
    first, second = read_exceptions(folder, tmp_path)
    assert (first.rule, first.package, first.until) == ("deny", "py-yaml", date(2027, 3, 31))
    assert second.where == "environments/one/pyproject.toml:9"
    read_environment(folder)  # which refuses what it does not know


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ('rule = "deny"\nuntil = 2027-03-31', "must say reason"),
        ('rule = "deny"\nreason = "r"', "must say until"),
        ('rule = "deny"\nreason = "r"\nuntil = "soon"', "must be a date"),
        ('rule = "deny"\nreason = "r"\nuntil = 2027-03-31\nwhy = "x"', "not a setting"),
    ],
)
def test_an_exception_needs_a_reason_and_a_day(tmp_path: Path, entry: str, told: str) -> None:
    """And names the line of its entry."""
    folder = write(tmp_path, own=f"[[tool.eggcrate.exceptions]]\n{entry}\n")
    with pytest.raises(ConfigError) as caught:
        read_exceptions(folder, tmp_path)
    assert caught.value.what.startswith("environments/one/pyproject.toml:4: ")
    assert told in caught.value.what
