"""``eggcrate bases refresh``: real Debian packages in an archive of the test's own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from eggcrate.errors import LockError
from eggcrate.matrix.refresh import refreshed, write
from eggcrate.packages.debian import archive as archives
from eggcrate.packages.debian.fetch import fetch_debs
from eggcrate.packages.debian.lock import lock_system_packages
from eggcrate.packages.debian.lockfile import base_lock, write_base_lock
from eggcrate.packages.debian.mirror import MIRROR_VARIABLE
from eggcrate.progress import Silent
from eggcrate.registry.remote import Remote
from eggcrate.repo.monorepo import read_monorepo
from packages.debian.support import FakeArchive, Signer, serve
from support.matrix import BASE, add_component
from support.published import HASTY
from support.repository import (
    HERE,
    Repository,
    copy_cache,
    make_repository,
    packages,
    take_debs,
)
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., Any]

# Debian's packages come from a mirror once, and the harness's from the index.
pytestmark = [pytest.mark.network, pytest.mark.sandbox]

BASE_NAME, PLATFORM = "python-3.11", "linux/amd64"
MORE = 'description = "more"\nextends = "python-3.11"\npackages = ["extra"]\n'
TEST = """
from pathlib import Path

def test_it(flavour):
    extra = Path("/opt/extra")
    assert not extra.exists() or extra.read_text() != "3", "it cannot work with extra 3"
"""


@dataclass(kw_only=True)
class Built:
    """A repository whose images are built on the archive's first packages: to be copied."""

    archive: FakeArchive
    repository: Repository
    debs: dict[str, Path]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    if not (shutil.which("gpg") and shutil.which("gpgv")):
        pytest.skip("gpg and gpgv, which sign and check the test's archive, are not installed")
    folder = tmp_path_factory.mktemp("refresh")
    repository = make_repository(folder / "repo", folder / "cache")
    take_debs(repository.cache)
    lock = base_lock(read_monorepo(HERE).bases[BASE_NAME])
    fetched = fetch_debs(
        lock.packages[PLATFORM],
        lock=lock,
        cache=repository.cache,
        locked=False,
        progress=Silent(),
    ).debs
    (folder / "archive").mkdir()
    signer = Signer()
    with serve(folder / "archive", signer) as archive:
        debs = {one.deb.name: one.file for one in fetched}
        for file in debs.values():
            archive.offer(file)
        archive.add("extra", "1")
        archive.add("other", "1")
        archive.publish()
        _lay_out(repository, folder / "links")
        with pytest.MonkeyPatch.context() as patch:
            _configure(patch, archive, repository, folder / "links")
            assert cli.main(["--repo", str(repository.root), "lock", "--bases"]) == 0
            _lock_own(repository)
            # In a process of its own, which builds, and has the harness from the index.
            extra = {
                MIRROR_VARIABLE: archive.mirrors.archive[0],
                "PIP_FIND_LINKS": f"{folder}/links",
            }
            for command in (("build", "--all"), ("matrix",)):
                ran = repository.run(*command, extra={**BASE, **extra})
                assert ran.code == 0, ran.out + ran.err
        yield Built(archive=archive, repository=repository, debs=debs)
    signer.close()


def _lay_out(repository: Repository, links: Path) -> None:
    """A base, one that extends it, an environment on each, and one with packages of its own."""
    for folder in (repository.root / "bases").iterdir():
        if folder.name != BASE_NAME:
            shutil.rmtree(folder)
    toml = repository.root / "bases" / BASE_NAME / "base.toml"
    toml.write_text(toml.read_text().replace(', "linux/arm64"', ""))
    (repository.root / "bases" / "more").mkdir()
    (repository.root / "bases" / "more" / "base.toml").write_text(MORE)
    alpha = make_wheel(links, "alpha", files={"alpha/__init__.py": "A = 1\n"})
    large = make_wheel(links, "large", files={"large/data.bin": bytes(range(256)) * 8192})
    repository.environment("plain", packages(alpha, large))
    beta = make_wheel(links, "beta", files={"beta/__init__.py": "B = 1\n"})
    repository.environment("upper", packages(alpha, beta), settings='base = "more"')
    own = f'base = "{BASE_NAME}"\nsystem-packages = ["other"]'
    repository.environment("own", packages(alpha, beta), settings=own)
    add_component(repository, "reads", test=TEST, needs=("beta",))


def _lock_own(repository: Repository) -> None:
    there = read_monorepo(repository.root)
    own = there.environments["own"]
    lock = lock_system_packages(
        own.system_packages,
        name=own.name,
        base=there.bases[BASE_NAME],
        bases=there.bases,
        platforms=own.platforms,
        cache=repository.cache,
        progress=Silent(),
    )
    write_base_lock(own.path / "base.lock", lock)


def _configure(
    patch: pytest.MonkeyPatch, archive: FakeArchive, repository: Repository, links: Path
) -> None:
    patch.setenv(MIRROR_VARIABLE, archive.mirrors.archive[0])
    patch.setattr(archives, "archive_keys", lambda: archive.signer.keys)
    patch.setenv("EGGCRATE_CACHE", str(repository.cache))
    patch.setenv("PIP_FIND_LINKS", str(links))
    for name, value in BASE.items():
        patch.setenv(name, value)


@pytest.fixture
def here(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Built]:
    """The repository with its store and a cache, where no wheel is to be had any more."""
    root = tmp_path / "repo"
    shutil.copytree(built.repository.root, root, symlinks=True)
    cache = copy_cache(built.repository.cache, tmp_path / "cache")
    shutil.rmtree(cache / "files", ignore_errors=True)
    repository = Repository(root=root, cache=cache)
    _configure(monkeypatch, built.archive, repository, tmp_path / "no-links")
    (tmp_path / "no-links").mkdir()
    yield Built(archive=built.archive, repository=repository, debs=built.debs)
    built.archive.offer(built.debs["netbase"])
    built.archive.add("extra", "1")
    built.archive.add("other", "1")
    built.archive.publish()


@pytest.fixture
def run(here: Built, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        found = cli.main(["--repo", str(here.repository.root), "bases", "refresh", *arguments])
        told = capsys.readouterr()
        assert found == code, told.out + told.err
        return json.loads(told.out) if "--json" in arguments else told.out

    return run


def _tree(repository: Repository) -> dict[str, tuple[bytes, int]]:
    """Every file that is kept in git, with its date."""
    return {
        str(path.relative_to(repository.root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for name in ("bases", "environments", "components")
        for path in sorted((repository.root / name).rglob("*"))
        if path.is_file()
    }


def test_environments_are_rebased_and_no_package_is_installed_anew(here: Built, run: Run) -> None:
    """Every layer of a package is the old one, no wheel is fetched, and the next run is calm."""
    here.archive.offer(here.debs["netbase"], version="6.99")
    here.archive.publish()
    before = _tree(here.repository)
    told = run("--dry-run", "--json")
    assert (told["state"], told["dry_run"]) == ("refresh", True)
    assert sorted(told["rebased"]) == ["own", "plain", "upper"]
    assert _tree(here.repository) == before

    done = run("--json")
    assert done["state"] == "refreshed"
    changes = {one["name"]: one["changes"] for one in done["moved"]}
    assert [one["package"] for one in changes[f"bases/{BASE_NAME}"]] == ["netbase (linux/amd64)"]
    assert changes[f"bases/{BASE_NAME}"][0]["to"] == "6.99"
    assert changes["bases/more"] == changes["environments/own"] == []
    assert done["downloaded"] == []
    assert {one["name"] for one in done["environments"]} == {"own", "plain", "upper"}
    for one in done["environments"]:
        assert one["made_anew"] == []
        assert one["layers"] - one["layers_reused"] == 1, one  # Debian's packages
    assert done["cells"] == {"proven": 2, "failing": []}
    assert done["unproven"] == ["plain"]
    report = (here.repository.root / "build" / "refresh.md").read_text()
    assert "| netbase (linux/amd64) |" in report.replace("&#40;", "(")
    assert "6.99" in (here.repository.root / "bases" / BASE_NAME / "base.lock").read_text()
    after = _tree(here.repository)
    assert {path for path in after if after[path] != before.get(path)} == {
        f"bases/{BASE_NAME}/base.lock",
        "bases/more/base.lock",
        "environments/own/base.lock",
    }
    assert run().strip() == "2 bases are fresh: Debian has nothing newer"
    assert _tree(here.repository) == after


def test_what_cannot_work_on_new_bases_leaves_the_locks_alone(here: Built, run: Run) -> None:
    """The cells are named, not a byte of the tree changes, and no scratch is left."""
    here.archive.add("extra", "3")
    here.archive.publish()
    before = _tree(here.repository)
    told = run("--json", code=1)
    assert told["state"] == "refused"
    assert {one["environment"] for one in told["cells"]["failing"]} == {"upper"}
    assert _tree(here.repository) == before
    assert not list((here.repository.root / ".eggcrate").glob("stage.*"))
    assert "reads" in run(code=1)
    assert "not refreshed" in (here.repository.root / "build" / "refresh.md").read_text()


def test_an_empty_machine_takes_package_layers_from_the_registry(
    here: Built, run: Run, registry_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No wheel, no store, no unit is there: the published layers are used, and one is pushed."""
    prefix = f"{registry_server}/refresh"
    code = cli.main(
        ["--repo", str(here.repository.root), "build", "--all", "--push", "--registry", prefix]
    )
    assert code == 0
    shutil.rmtree(here.repository.root / ".eggcrate")
    for name in ("units", "blobs", "selections", "proofs"):
        shutil.rmtree(here.repository.cache / name, ignore_errors=True)
    here.archive.offer(here.debs["netbase"], version="6.98")
    here.archive.publish()
    monkeypatch.setenv("EGGCRATE_ATTEST", "true")
    run("--push", "--registry", prefix, code=2)  # they would name no commit
    monkeypatch.delenv("EGGCRATE_ATTEST")
    done = run("--push", "--registry", prefix, "--json")
    assert (done["state"], done["downloaded"], done["errors"]) == ("refreshed", [], {})
    [new] = {one["new_bytes"] for one in done["environments"]}
    assert new == done["new_bytes"]
    assert [one["made_anew"] for one in done["environments"]] == [[], [], []]
    # One upload of the base's layer for all; configurations are small.
    assert new < sum(one["pushed_bytes"] for one in done["environments"]) < new + 50_000
    tags = [(one["name"], f"key-{one['key'][:32]}") for one in done["environments"]]
    with Remote(prefix, retries=HASTY) as remote:
        found = remote.resolve_many(tags)
    assert {one["digest"] for one in done["environments"]} == {
        item.digest for item in found.values() if item
    }


def test_what_has_left_debian_is_told_before_anything_is_built(here: Built, run: Run) -> None:
    """An environment whose own packages are gone stops the refresh, and is named."""
    here.archive.offer(here.debs["netbase"], version="6.97")
    here.archive.remove("other")
    here.archive.publish()
    before = _tree(here.repository)
    for arguments in (("--dry-run", "--json"), ("--json",)):
        told = run(*arguments, code=1)
        assert (told["state"], list(told["errors"]), told["environments"]) == (
            "refused",
            ["own"],
            [],
        )
    assert _tree(here.repository) == before


def test_a_lock_that_was_changed_meanwhile_is_not_written_over(here: Built) -> None:
    """What a person wrote while cells ran is theirs; no other lock is written either."""
    here.archive.add("extra", "2")
    here.archive.publish()
    monorepo = read_monorepo(here.repository.root)
    lock = monorepo.bases["more"].lock_path
    with refreshed(monorepo, ("more",), cache=here.repository.cache, progress=Silent()) as refresh:
        assert [one.name for one in refresh.moved] == ["bases/more"]
        assert [one.name for one in refresh.rebased] == ["upper"]
        lock.write_text(lock.read_text() + "# mine\n")
        with pytest.raises(LockError, match="changed while"):
            write(refresh)
    assert lock.read_text().endswith("# mine\n")
