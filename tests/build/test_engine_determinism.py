"""The same recipe gives the same bytes, on any machine; a change moves only what it must."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support.repository import (
    Repository,
    copy_cache,
    make_repository,
    noise,
    packages,
    real_packages,
    take_debs,
    write_lock,
)
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.network

REAL = ("certifi", "cffi", "cryptography", "google-auth", "googleapis-common-protos", "six")
MACHINES = (
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0", "EGGCRATE_JOBS": "1"},
    {
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "tr_TR.UTF-8",
        "PYTHONHASHSEED": "4242",
        "EGGCRATE_JOBS": "5",
        "SOURCE_DATE_EPOCH": "1",
    },
)
_SOURCE = "import collections\nVALUES = {{'a', 'b', {0!r}}}\n\ndef f(x):\n    return x in VALUES\n"


def _populate(repository: Repository, links: Path) -> None:
    made = [
        make_wheel(links, f"made-{n}", files={f"made_{n}.py": _SOURCE.format(n)}) for n in range(6)
    ]
    big = {"big.bin": bytes(n * n % 251 for n in range(1 << 20)), "big.py": _SOURCE.format("big")}
    made.append(make_wheel(links, "big", files=big))
    platforms = 'platforms = ["linux/amd64", "linux/arm64"]\nbase = "python-3.11"'
    repository.environment("made", packages(*made), settings=platforms)
    repository.environment("real", real_packages("gcp-data", *REAL))


def test_two_machines_give_the_same_bytes(base_cache: Path, tmp_path: Path) -> None:
    """Folder, cache, umask, time zone, locale, hash seed and processors change no byte."""
    links = tmp_path / "links"
    repositories = [
        make_repository(tmp_path / "one/repo", copy_cache(base_cache, tmp_path / "one/cache")),
        make_repository(tmp_path / "two/deeper ünd/repo", tmp_path / "two/deeper ünd/cache"),
    ]
    take_debs(repositories[1].cache, base_cache)  # everything else is made anew
    seen = []
    for repository, extra, umask in zip(repositories, MACHINES, (0o022, 0o077), strict=True):
        _populate(repository, links)
        digests = repository.build(extra=extra | {"PIP_FIND_LINKS": str(links)}, umask=umask)
        assert set(digests) == {"made linux/amd64", "made linux/arm64", "real linux/amd64"}
        store = repository.store
        blobs = sorted(path.name for path in (store.root / "blobs" / "sha256").iterdir())
        assert not [problem for ref in store.refs() for problem in store.verify(ref)]
        seen.append((digests, (store.root / "index.json").read_bytes(), blobs))
    assert seen[0] == seen[1]


def test_comments_and_order_change_nothing(small: Repository, wheel: Callable[..., Path]) -> None:
    """A lock or pyproject.toml written otherwise that means the same is the same image."""
    made = packages(*(wheel(name) for name in ("zeta", "alpha", "mid")))
    folder = small.environment("same", made)
    before = small.build()
    refs = small.store.refs()

    write_lock(folder, reversed(made))
    lock = folder / "poetry.lock"
    lock.write_text("# by another Poetry\n" + lock.read_text().replace("0" * 64, "f" * 64))
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text().replace('["zeta==1.0", "alpha==1.0"', '["alpha==1.0", "zeta==1.0"')
    assert text != pyproject.read_text()
    pyproject.write_text(text.replace("[tool", "# a comment\n\n[tool"))
    ran = small.run("build", "--all", "--json")
    assert [item["verdict"] for item in ran.results] == ["up-to-date"]
    assert {f"{i['name']} {i['platform']}": i["digest"] for i in ran.results} == before
    assert small.store.refs() == refs


@pytest.mark.parametrize("size", [100, 2 << 20])
def test_a_changed_package_changes_only_its_layers(
    small: Repository, wheel: Callable[..., Path], size: int
) -> None:
    """Files and bytecode of the one package; every other layer keeps its digest and place."""
    content = noise("change", size)

    def made(version: str) -> list[Path]:
        big = {f"big{n}.py": f"N = {n}\n" for n in range(3)}
        changing = {"change.py": f"V = {version!r}\n", "change.bin": content + version.encode()}
        return [
            wheel("change", version, changing),
            wheel("large", "1.0", {**big, "large.bin": noise("large", 2 << 20)}),
            *(wheel(f"other-{letter}") for letter in "abcdefghij"),
        ]

    small.environment("env", packages(*made("1.0")))
    first = small.layers(small.build()["env linux/amd64"])
    small.environment("env", packages(*made("2.0")))
    ran = small.run("build", "env", "--json")
    second = small.layers(ran.results[0]["digest"])
    assert list(first) == list(second)
    moved = {held for held, digest in first.items() if second[held] != digest}
    assert moved == {held for held in first if re.search(r"\bchange\b", " ".join(held))}
    assert {kind.split()[0] for held in moved for kind in held if "change" in kind} == {
        "files",
        "bytecode",
    }
    assert ran.results[0]["layers_reused"] == len(first) - len(moved)
    if size > 1 << 20:
        assert ("files change",) in moved
