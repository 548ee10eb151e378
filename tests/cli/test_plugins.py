"""A company's own package, built and installed as pip does it, adds to every place it can."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.plugins import GENERATORS, GROUPS, plugins
from eggcrate.repo.environments import read_environment
from support.pip_command import pip_command
from support.planning import commit, package

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.repository import Repository

    Call = Callable[..., tuple[int, str, str]]

SAMPLE = Path(__file__).resolve().parents[1] / "data" / "acme-eggcrate"
BROKEN = """[eggcrate.policies]
absent = no_such_module_at_acme:check
ends = acme_broken:ends
[eggcrate.report_sections]
raises = acme_broken:raises
[eggcrate.generators]
number = acme_broken:NUMBER
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the sample into, without an index."""
    folder = tmp_path_factory.mktemp("acme")
    source, site = folder / "source", folder / "site"
    shutil.copytree(SAMPLE, source)
    arguments = ("--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--target")
    subprocess.run([*pip_command(), "install", *arguments, str(site), str(source)], check=True)
    return site


def test_an_installed_package_adds_to_every_place(
    installed: Path, repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rule is judged with its settings, its section told, its environment made and planned."""
    monkeypatch.syspath_prepend(str(installed))
    code, out, _ = call("doctor")
    assert code == 0
    for group, name in zip(
        GROUPS[:3], ("acme-names", "acme-environment", "acme-owners"), strict=True
    ):
        [line] = [line for line in out.splitlines() if f" {name} " in line]
        assert line.split() == [group, name, "acme-eggcrate", "1.2.0", "works"]
    root = repository.root
    path = root / "pyproject.toml"
    path.write_text(
        path.read_text() + "\n[tool.eggcrate.policy.plugins]\n"
        'acme-names = { prefixes = ["two"], retired = ["six"] }\n'
    )
    commit(root, "rules")
    code, out, _ = call("policy", "--offline")
    assert code == 1
    assert "its name begins with none of two" in out
    assert "six is retired at Acme" in out
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    _, out, _ = call("impact", "--offline", "--base", "HEAD")
    assert "Ask the owners of one" in out
    [generator] = plugins(GENERATORS)
    for name, text in generator.call("two-b", root, ["six"]).items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    made = read_environment(root / "environments" / "two-b")
    assert (made.owner, made.dependencies, made.base) == ("acme", ("six",), "python-3.13")


def test_a_plugin_that_cannot_work_is_named(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent, raising, ending the program, no function: its distribution is told."""
    info = tmp_path / "site" / "acme_broken-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-broken\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(BROKEN)
    (tmp_path / "site" / "acme_broken.py").write_text(
        "NUMBER = 3\ndef ends(subject, settings):\n    raise SystemExit(7)\n"
        "def raises(document):\n    return document['nothing']\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    code, out, _ = call("doctor")
    assert code == 0
    assert "acme-broken 0.3  cannot be loaded: ModuleNotFoundError" in out
    assert "acme_broken:NUMBER is no function" in out
    code, out, err = call("policy", "--offline")
    assert code == 1
    for name in ("absent", "ends"):
        assert f"the plugin {name} (eggcrate.policies) of acme-broken 0.3 failed" in out + err
    assert "SystemExit: 7" in out + err
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    code, out, err = call("impact", "--offline", "--base", "HEAD")
    assert code == 0
    assert "The section raises is missing" in out
    assert "the plugin raises (eggcrate.report_sections) of acme-broken 0.3 failed" in err
