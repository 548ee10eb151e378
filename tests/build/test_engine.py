"""``eggcrate build`` as a whole: what is built, what is told, what is shared."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from support.broken import break_all
from support.repository import make_repository, packages, real_packages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository

pytestmark = pytest.mark.network


def test_broken_environments_stop_no_other(
    small: Repository, wheel: Callable[..., Path], tmp_path: Path
) -> None:
    """Each is told by itself, as a table and as JSON; the others are built; exit code 1."""
    expected = break_all(small, tmp_path / "links")
    (small.root / "environments" / "unreadable").mkdir()
    gone = wheel("gone")
    small.environment("not-there", packages(gone))
    gone.unlink()
    altered = wheel("altered")
    small.environment("other-bytes", packages(altered))
    wheel("altered", files={"altered.py": "# another file of the same name"})
    ran = small.run("build", "--all", "--json")
    assert (ran.code, ran.calm) == (1, True), ran.err
    results = {item["name"]: item for item in ran.results}
    good = results.pop("good")
    assert (good["verdict"], good["error"]) == ("built", "")
    assert results.keys() == {*expected, "unreadable", "not-there", "other-bytes"}
    for name, (_, text) in expected.items():
        assert results[name]["verdict"] == "blocked"
        assert text in results[name]["error"]
    assert "gone-1.0-py3-none-any.whl is offered nowhere" in results["not-there"]["error"]
    assert "altered-1.0-py3-none-any.whl" in results["other-bytes"]["error"]
    assert {results[name]["verdict"] for name in ("not-there", "other-bytes")} == {"failed"}
    assert all(item["digest"] == "" for item in results.values())
    assert not {ref.split(".")[0] for ref in small.store.refs()} - {"good"}

    told = small.run("build", "--all")
    assert told.code == 1
    for name, item in results.items():
        assert f"{name}: {item['error']}" in told.out
    assert small.run("build", "good").code == 0


def test_a_dry_run_writes_nothing(small: Repository, wheel: Callable[..., Path]) -> None:
    """It tells ``build``, later ``up-to-date``, and leaves the store as it is."""
    small.environment("env", packages(wheel("one")))
    ran = small.run("build", "--all", "--dry-run", "--json")
    assert (ran.code, ran.results[0]["verdict"]) == (0, "build")
    assert not small.store.root.exists()
    small.build()
    small.store.remove("env")
    before = sorted(small.store.refs())
    ran = small.run("build", "--all", "--dry-run", "--json")
    assert (ran.code, ran.results[0]["verdict"]) == (0, "up-to-date")
    assert sorted(small.store.refs()) == before


def test_locked_reaches_the_bases(small: Repository) -> None:
    """``--locked`` refuses a base whose pinned package has left the mirror, and says so."""
    for path in (small.root / "bases").glob("python-3.13*/base.lock"):
        lock = path.read_text()
        lock = re.sub(
            r'name = "tzdata", version = "[^"]+"(.*)sha256 = "[0-9a-f]{64}"(.*)/tzdata_[^"]+"',
            rf'name = "tzdata", version = "1999a-1"\1sha256 = "{"0" * 64}"\2/tzdata_1999a-1.deb"',
            lock,
        )
        path.write_text(lock)
    small.environment("env", (), settings='base = "python-3.13"')
    ran = small.run("build", "env", "--locked", "--json")
    assert (ran.code, ran.calm) == (1, True), ran.err
    assert "tzdata 1999a-1" in ran.results[0]["error"]
    assert "eggcrate lock --bases" in ran.results[0]["error"]


def test_another_architecture_is_built_here(base_cache: Path, small: Repository) -> None:
    """arm64 wheels, an arm64 configuration, an index of both; pure bytecode is shared."""
    repository = make_repository(small.root.parent / "real", small.cache)
    locked = real_packages("gcp-data", "charset-normalizer", "cffi", "six", "idna")
    platforms = 'platforms = ["linux/amd64", "linux/arm64"]\nbase = "python-3.11"'
    repository.environment("both", locked, settings=platforms)
    digests = repository.build()
    amd64, arm64 = digests["both linux/amd64"], digests["both linux/arm64"]
    store = repository.store
    index = store.resolve("both")
    assert store.resolve("both", "linux/amd64").digest == amd64
    assert store.resolve("both", "linux/arm64").digest == arm64
    assert index.digest not in (amd64, arm64)
    shown = ["skopeo", "--override-arch", "arm64", "inspect", "--config"]
    config = subprocess.run(
        [*shown, f"oci:{store.root}:both"], capture_output=True, text=True, check=True
    )
    assert '"architecture":"arm64"' in config.stdout.replace(" ", "")

    native = _units(repository, arm64, "files") - _units(repository, amd64, "files")
    assert {name for name, _ in native} == {"cffi", "charset-normalizer"}
    pure = _units(repository, arm64, "bytecode") & _units(repository, amd64, "bytecode")
    assert {name for name, _ in pure} >= {"six", "idna"}
    root = repository.root.parent / "arm"
    umoci = ["umoci", "unpack", "--rootless", "--image"]
    reference = next(r for r, d in store.refs().items() if d.digest == arm64)
    subprocess.run([*umoci, f"{store.root}:{reference}", root], check=True, capture_output=True)
    libraries = list((root / "rootfs/opt/env").rglob("*.so"))
    assert libraries
    for library in libraries:
        assert library.read_bytes()[18:20] == b"\xb7\x00", library  # e_machine: AArch64


def _units(repository: Repository, digest: str, kind: str) -> set[tuple[str, str]]:
    """Name and key of each unit of a kind."""
    return {
        (unit["name"], unit["key"])
        for layer in repository.manifest(digest).layers
        for unit in json.loads(layer.annotations.get("dev.eggcrate.units", "[]"))
        if unit["kind"] == kind
    }


@pytest.mark.tools
@pytest.mark.sandbox
def test_a_registry_image_is_a_base(
    small: Repository, wheel: Callable[..., Path], registry_server: str
) -> None:
    """An image pulled by digest carries an environment, which runs and has its bytecode."""
    small.environment("lower", packages(wheel("lower")))
    lower = small.build()["lower linux/amd64"]
    target = f"docker://{registry_server}/bases/lower:1"
    copy = ["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{small.store.root}:lower"]
    subprocess.run([*copy, target], check=True)
    folder = small.root / "bases" / "pulled"
    folder.mkdir()
    (folder / "base.toml").write_text(
        'description = "from a registry"\npython = "3.11"\npython_version = "3.11.2"\n'
        'glibc = "2.36"\ninterpreter = "/usr/bin/python3.11"\n'
        f'image = "{registry_server}/bases/lower@{lower}"\n'
    )
    small.environment("upper", packages(wheel("upper")), settings='base = "pulled"')
    digest = small.build("upper")["upper linux/amd64"]
    below = [layer.digest for layer in small.manifest(lower).layers]
    assert [layer.digest for layer in small.manifest(digest).layers][: len(below)] == below
    script = "import lower, upper, os; print(os.path.exists(upper.__cached__), upper.__version__)"
    assert small.python(digest, script) == "True 1.0"
    assert small.python(lower, "import lower; print(lower.__version__)") == "1.0"
    assert small.run("build", "upper", "--json").results[0]["verdict"] == "up-to-date"
