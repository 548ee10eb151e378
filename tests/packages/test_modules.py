"""What a locked file lets a program import is known without installing it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import ConfigError
from eggcrate.files import sha256_file
from eggcrate.packages import cache as cache_module
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.modules import modules_in, provided_modules
from eggcrate.packages.pip_config import PipConfig, read_pip_config
from eggcrate.packages.remembered import selected
from eggcrate.packages.target import Platform, Target
from support.package_index import Fault, PackageIndex, package_index
from support.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = {f"alpha/module_with_a_long_name_{n}.py": "" for n in range(3000)}
PACKAGE = {"alpha/__init__.py": "", "alpha/inner.py": "", "_alpha.abi3.so": b"\x7fELF"}
HAS = frozenset({"alpha", "_alpha"})


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    cache_module._verified.clear()
    with package_index() as index:
        yield index


def of(path: Path) -> Distribution:
    name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
    return Distribution(name=name, version=version, filename=path.name, sha256=sha256_file(path))


def ask(index: PackageIndex, cache: Path, *wanted: Distribution) -> list[frozenset[str] | None]:
    config = PipConfig(index_url=index.url, timeout=5)
    found = provided_modules(wanted, cache=cache, config=lambda: config)
    return [found[one] for one in wanted]


def files_asked_for(index: PackageIndex) -> int:
    return index.count("/files/")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["six.py"], {"six"}),
        (["numpy/__init__.py", "numpy/core/__init__.py", "numpy/core/x.py"], {"numpy"}),
        (["fast.cpython-311-x86_64-linux-gnu.so", "any.abi3.so", "old.so"], {"fast", "any", "old"}),
        (["p/__init__.cpython-311-x86_64-linux-gnu.so", "p/x.py"], {"p"}),
        (["google/cloud/storage/__init__.py", "google/cloud/version.py"], None),
        (["a-1.data/purelib/a/__init__.py", "a-1.data/platlib/b.py"], {"a", "b"}),
        (["a-1.data/scripts/tool.py", "a-1.data/data/x.py", "a-1.dist-info/x.py"], set()),
        (["pandas-stubs/__init__.pyi", "pandas-stubs/x.py", "typed/__init__.pyi"], set()),
        (["p/py.typed", "p/__init__.py", "a.pth", "b.txt", "libx.so.1", "x.libs/liby.so"], {"p"}),
        (["odd-name.py", "1st.py", "p/odd-name.py"], set()),
        (["legacy/__init__.pyc"], {"legacy"}),
        (["p/__pycache__/x.cpython-311.pyc"], set()),
    ],
)
def test_names_of_modules(names: list[str], expected: set[str] | None) -> None:
    """Packages, single files, extension modules and namespaces count; data and stubs do not."""
    wanted = expected if expected is not None else {"google.cloud.storage", "google.cloud.version"}
    assert modules_in(names) == wanted


@given(
    st.lists(
        st.lists(st.sampled_from(["a", "b", "__init__"]), min_size=1, max_size=3).map(
            lambda parts: "/".join(parts) + ".py"
        )
    )
)
def test_every_file_is_under_a_name(names: list[str]) -> None:
    """Each module is told by its own name or that of a package that it is in, and no other."""
    found = modules_in(names)
    dotted = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in names
    }
    assert all(any(f"{name}.".startswith(f"{one}.") for one in found) for name in dotted)
    assert found <= dotted


def test_what_is_told_can_be_imported(tmp_path: Path) -> None:
    """Python imports each name from the wheel, and none that is not told."""
    wheel = make_wheel(
        tmp_path,
        "alpha",
        files={
            "alpha/__init__.py": "",
            "single.py": "",
            "space/inner/__init__.py": "",
            "space/loose.py": "",
            "alpha-stubs/__init__.pyi": "",
        },
    )
    found = provided_modules([of(wheel)], cache=put(tmp_path / "cache", wheel))[of(wheel)]
    assert found == {"alpha", "single", "space.inner", "space.loose"}
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
    program += "\n".join(f"import {name}" for name in sorted(found))
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


def put(cache: Path, *files: Path) -> Path:
    """A cache that holds these files."""
    for file in files:
        path = cached_path(of(file), cache=cache)
        path.parent.mkdir(parents=True)
        path.write_bytes(file.read_bytes())
    return cache


def test_a_cached_wheel_needs_no_index(tmp_path: Path) -> None:
    """What is on disk is read there, and remembered when the file is gone."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE)
    cache = put(tmp_path / "cache", wheel)
    for _ in range(2):
        assert provided_modules([of(wheel)], cache=cache, config=pytest.fail)[of(wheel)] == HAS
        cached_path(of(wheel), cache=cache).unlink(missing_ok=True)


def test_an_index_is_asked_for_the_end_of_the_file_once(
    tmp_path: Path, index: PackageIndex
) -> None:
    """The directory of the zip is enough; the answer is remembered."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE | {"alpha/big.bin": bytes(1 << 20)})
    index.add(wheel)
    assert ask(index, tmp_path / "cache", of(wheel)) == [HAS]
    [(_, _, headers)] = [request for request in index.requests if "/files/" in request[1]]
    assert headers["Range"].startswith("bytes=-")
    assert not (tmp_path / "cache" / "files").exists()
    assert ask(index, tmp_path / "cache", of(wheel)) == [HAS]
    assert files_asked_for(index) == 1


def test_a_long_directory_takes_a_second_request(tmp_path: Path, index: PackageIndex) -> None:
    """A directory longer than the first part is completed, not guessed."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE | MANY)
    index.add(wheel)
    assert ask(index, tmp_path / "cache", of(wheel)) == [HAS]
    assert files_asked_for(index) == 2


@pytest.mark.parametrize("trouble", ["no ranges", "no hashes", "garbled", "416"])
def test_the_whole_file_where_parts_are_not_to_be_had(
    tmp_path: Path, index: PackageIndex, trouble: str
) -> None:
    """A server without ranges, a page without hashes, bytes that are no zip: it is fetched."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE | {"alpha/big.bin": bytes(1 << 20)})
    index.add(wheel)
    index.ranges = trouble != "no ranges"
    index.hashes = trouble != "no hashes"
    if trouble in {"garbled", "416"}:
        status = 416 if trouble == "416" else 0
        index.faults = [Fault(path="/files/", corrupt=True, status=status)]
    assert ask(index, tmp_path / "cache", of(wheel)) == [HAS]
    assert cached_path(of(wheel), cache=tmp_path / "cache").is_file()


def test_what_cannot_be_learned_is_not_known(tmp_path: Path, index: PackageIndex) -> None:
    """Offline, not offered, or without pip: the answer is "unknown", never "nothing"."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE)
    served = make_wheel(tmp_path, "beta")
    index.add(served)
    cache = tmp_path / "cache"
    assert provided_modules([of(wheel)], cache=cache) == {of(wheel): None}

    def no_pip() -> PipConfig:
        raise ConfigError("there is no pip")

    assert provided_modules([of(wheel)], cache=cache, config=no_pip) == {of(wheel): None}
    assert ask(index, cache, of(wheel), of(served)) == [None, frozenset({"beta"})]
    index.close()
    gamma = make_wheel(tmp_path, "gamma")
    config = PipConfig(index_url="http://127.0.0.1:9/simple", timeout=1)
    found = provided_modules([of(gamma), of(served)], cache=cache, config=lambda: config)
    assert found == {of(gamma): None, of(served): frozenset({"beta"})}


def test_damage_is_noticed(tmp_path: Path, index: PackageIndex) -> None:
    """Neither a record nor a cached file that was damaged is believed."""
    wheel = make_wheel(tmp_path, "alpha", files=PACKAGE)
    index.add(wheel)
    cache = put(tmp_path / "cache", wheel)
    cached_path(of(wheel), cache=cache).write_bytes(b"PK no zip")
    assert provided_modules([of(wheel)], cache=cache) == {of(wheel): None}
    assert ask(index, cache, of(wheel)) == [HAS]
    [record] = (cache / "modules").rglob("*.json")
    record.write_bytes(record.read_bytes().replace(b"_alpha", b"_other"))
    assert ask(index, cache, of(wheel)) == [HAS]


def test_an_sdist_may_give_what_is_in_it(tmp_path: Path, index: PackageIndex) -> None:
    """More rather than less: only building it would tell."""
    files = {"src/alpha/__init__.py": "", "src/alpha/x.py": "", "src/tool.py": "", "setup.py": ""}
    sdist = make_sdist(tmp_path, "some-dist", files=files)
    index.add(sdist)
    distribution = Distribution(
        name="some-dist", version="1.0", filename=sdist.name, sha256=sha256_file(sdist)
    )
    [found] = ask(index, tmp_path / "cache", distribution)
    assert found is not None
    assert found >= {"alpha", "tool", "some_dist"}


def test_a_lock_cannot_name_files_elsewhere(tmp_path: Path, index: PackageIndex) -> None:
    """A hash or file name that is none leads nowhere, and nothing is written by it."""
    wheel = of(make_wheel(tmp_path, "alpha"))
    odd = [replace(wheel, sha256="../../../x"), replace(wheel, filename="../x.whl")]
    assert ask(index, tmp_path / "cache", *odd) == [None, None]
    assert [path.name for path in tmp_path.iterdir()] == [wheel.filename]


@pytest.mark.network
def test_the_real_index_gives_parts(tmp_path: Path) -> None:
    """The modules of a real wheel are known without downloading it."""
    lock = Path(__file__).parents[2] / "environments" / "gcp-data"
    target = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
    wanted = [
        item
        for item in selected(lock, target, groups=("main",), extras=())
        if item.name in {"pandas", "google-cloud-storage"}
    ]
    found = provided_modules(wanted, cache=tmp_path, config=read_pip_config)
    modules = {item.name: found[item] or frozenset() for item in wanted}
    assert "google.cloud.storage" in modules["google-cloud-storage"]
    assert modules["pandas"] == {"pandas"}
