"""What the measurements at scale start from is what they say it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import generated, scale
from bench.document import ROOT
from eggcrate.build.keys import find_keys
from eggcrate.build.local import LocalRegistry
from eggcrate.registry.layout import Layout
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.keys import Keyed

BASE = "python-3.11"


def keys(root: Path, cache: Path) -> dict[str, Keyed]:
    monorepo = read_monorepo(root)
    found, failed = find_keys(monorepo, monorepo.environment_folders, cache=cache)
    assert not failed
    return {one.environment: one for one in found}


def test_generated_environments_are_all_different(tmp_path: Path) -> None:
    """Each has a real lock, a package of its own, and a place in the store."""
    root = tmp_path / "repository"
    generated.thousand(root, 13)
    found = keys(root, tmp_path / "cache")
    assert len({one.key for one in found.values()}) == 13
    for name, one in found.items():
        assert f"only-{name}" in one.resolved.packages
        assert len(one.resolved.packages) > 5
    store = tmp_path / "store"
    generated.fill_store(store, [one.resolved for one in found.values()])
    asked = [(one.environment, one.tag) for one in found.values()]
    assert list(LocalRegistry(Layout(store)).holds(asked)) == asked


def test_a_bump_changes_those_who_share(tmp_path: Path) -> None:
    """The first shared wheel is in all of them, another one in some."""
    root, wheels = tmp_path / "repository", tmp_path / "wheels"
    generated.hundred(root, BASE, ROOT / "bases" / BASE, wheels, 8)
    before = keys(root, tmp_path / "cache")
    sharing = {name for name, one in before.items() if "shared-01" in one.resolved.packages}
    assert 0 < len(sharing) < 8
    for name, changed in (("shared-01", sharing), ("shared-00", set(before))):
        size = generated.LARGE_SIZE
        old, new = (generated.make_wheel(wheels, name, text, size) for text in ("1.0", "1.1"))
        generated.bump(root, old, new)
        after = keys(root, tmp_path / "cache")
        assert {name for name in after if after[name].key != before[name].key} == changed
        before = after


def test_the_registrys_own_log_counts_what_moved() -> None:
    """Uploads that it took whole; not what it refused, was asked for or has begun."""
    line = '127.0.0.1 - - [22/Nov/2026:11:11:02 +0000] "{} HTTP/1.1" {} 0 "" "eggcrate"'
    took = scale._REQUEST.search(line.format("PUT /v2/x/blobs/uploads/1?digest=sha256%3A0", 201))
    assert took
    assert (took["method"], took["path"]) == ("PUT", "/v2/x/blobs/uploads/1?digest=sha256%3A0")
    for request, status in (("PUT /v2/x/manifests/y", 500), ("POST /v2/x/blobs/uploads/", 202)):
        assert not scale._REQUEST.search(line.format(request, status))
