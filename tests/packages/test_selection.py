"""Locks of every format give the exact set of files for a target, or say what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import LockError, LockMissingError, LockStaleError, UnsupportedPackageError
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import allows, distribution, select
from eggcrate.packages.target import Platform, Target
from eggcrate.packages.wanted import read_wanted

if TYPE_CHECKING:
    from pathlib import Path

AMD64 = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
ARM64 = Target(python="3.11.2", platform=Platform.parse("linux/arm64"), glibc=(2, 36))
HASH = "sha256:" + "0" * 64


def package(name: str, version: str = "1.0", *, body: str = "", groups: str = '["main"]') -> str:
    files = f'{{file = "{name.replace("-", "_")}-{version}-py3-none-any.whl", hash = "{HASH}"}}'
    return f"""
[[package]]
name = "{name}"
version = "{version}"
optional = false
python-versions = "*"
groups = {groups}
files = [{files}]
{body}
"""


def project(folder: Path, dependencies: str, packages: str, version: str = "2.1") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_text(dependencies)
    (folder / "poetry.lock").write_text(
        f'{packages}\n[metadata]\nlock-version = "{version}"\npython-versions = ">=3.11"\n'
        'content-hash = "not looked at"\n'
    )
    return folder


def names(
    folder: Path,
    target: Target = AMD64,
    groups: tuple[str, ...] = ("main",),
    extras: tuple[str, ...] = (),
) -> list[str]:
    wanted = read_wanted(folder / "pyproject.toml", groups=groups, extras=extras)
    found = select(read_lock(folder / "poetry.lock"), wanted, target, groups=groups)
    return [f"{item.name}=={item.version}" for item in found]


def test_of_two_versions_that_apply_the_one_that_everybody_accepts_is_meant(tmp_path: Path) -> None:
    """Poetry locks two where extras narrow; who asks first must not decide."""
    for first, second in (("loose", "strict"), ("strict", "loose")):
        asked = f'[project]\nname = "x"\ndependencies = ["{first}", "{second}"]\n'
        packages = (
            package("loose", body='[package.dependencies]\nit = "*"')
            + package("strict", body='[package.dependencies]\nit = "==2.*"')
            + package("it", "2.5")
            + package("it", "3.0")
        )
        folder = project(tmp_path / first, asked, packages)
        assert names(folder) == ["it==2.5", "loose==1.0", "strict==1.0"]


def test_two_versions_of_which_none_suits_all_are_refused(tmp_path: Path) -> None:
    """The walk ends, and says who asks for what cannot be."""
    asked = '[project]\nname = "x"\ndependencies = ["old", "new"]\n'
    packages = (
        package("old", body='[package.dependencies]\nit = "<3"')
        + package("new", body='[package.dependencies]\nit = ">=3"')
        + package("it", "2.5")
        + package("it", "3.0")
    )
    with pytest.raises(LockStaleError, match="none of the locked versions of it fits"):
        names(project(tmp_path / "x", asked, packages))


def test_markers_choose_between_locked_versions(tmp_path: Path) -> None:
    """Two locked versions of one project, told apart by markers: the target's is taken."""
    folder = project(
        tmp_path / "e",
        "[project]\ndependencies = [\"numpy<2 ; platform_machine == 'x86_64'\","
        " \"numpy>=2 ; platform_machine != 'x86_64'\"]",
        package("numpy", "1.26.4", body="markers = \"platform_machine == 'x86_64'\"")
        + package("numpy", "2.2.0", body="markers = \"platform_machine != 'x86_64'\""),
    )
    assert names(folder) == ["numpy==1.26.4"]
    assert names(folder, ARM64) == ["numpy==2.2.0"]


def test_extras_of_dependencies_are_followed(tmp_path: Path) -> None:
    """An extra asked for along the way brings what it needs, and nothing else does."""
    core = """
[package.dependencies]
grpcio = {version = ">=1.33", optional = true, markers = "extra == \\"grpc\\""}
requests = {version = "*", optional = true, markers = "extra == \\"http\\""}
[package.extras]
grpc = ["grpcio"]
"""
    folder = project(
        tmp_path / "e",
        '[project]\ndependencies = ["google-api-core[grpc]"]',
        package("google-api-core", body=core) + package("grpcio", "1.60.0"),
    )
    assert names(folder) == ["google-api-core==1.0", "grpcio==1.60.0"]


def test_groups_and_extras_of_the_environment_are_chosen(tmp_path: Path) -> None:
    """Only the groups and extras named are installed."""
    folder = project(
        tmp_path / "e",
        '[project]\ndependencies = ["pandas"]\n[project.optional-dependencies]\n'
        'plot = ["plotly"]\n[dependency-groups]\ndev = ["pytest", {include-group = "lint"}]\n'
        'lint = ["ruff"]',
        package("pandas")
        + package("plotly", body="markers = \"extra == 'plot'\"")
        + package("pytest", groups='["dev"]')
        + package("ruff", groups='["dev", "lint"]'),
    )
    assert names(folder) == ["pandas==1.0"]
    assert names(folder, extras=("plot",)) == ["pandas==1.0", "plotly==1.0"]
    assert names(folder, groups=("main", "dev")) == ["pandas==1.0", "pytest==1.0", "ruff==1.0"]


def test_poetry_1_lock_without_groups_is_walked(tmp_path: Path) -> None:
    """A lock of Poetry 1.x (format 2.0) says nothing of groups: the walk finds the set."""
    text = package("pandas", "2.2.0", body='[package.dependencies]\nnumpy = "^1.26 || ^2.0"')
    text += package("numpy", "1.26.4") + package("pytest", "8.0")
    folder = project(
        tmp_path / "e",
        '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
        'pandas = "^2.2"\n[tool.poetry.group.dev.dependencies]\npytest = "*"',
        text.replace('groups = ["main"]\n', ""),
        version="2.0",
    )
    assert names(folder) == ["numpy==1.26.4", "pandas==2.2.0"]
    assert names(folder, groups=("dev",)) == ["pytest==8.0"]


def test_poetry_1_1_lock_with_shared_files_is_read(tmp_path: Path) -> None:
    """Lock format 1.1 keeps all hashes in one table at the end."""
    (tmp_path / "poetry.lock").write_text(
        '[[package]]\nname = "Six"\nversion = "1.16.0"\ncategory = "main"\noptional = false\n'
        '[metadata]\nlock-version = "1.1"\n[metadata.files]\n'
        f'six = [{{file = "six-1.16.0-py2.py3-none-any.whl", hash = "{HASH}"}}]\n'
    )
    (six,) = read_lock(tmp_path / "poetry.lock").packages
    assert (six.name, six.files[0].name) == ("six", "six-1.16.0-py2.py3-none-any.whl")


@pytest.mark.parametrize(
    ("dependencies", "problem"),
    [
        ('["pandas>=3"]', "outside"),
        ('["pandas", "polars"]', "does not hold polars"),
        ("[]", "nothing asks for it"),
    ],
)
def test_a_stale_lock_is_told_with_its_reason(
    tmp_path: Path, dependencies: str, problem: str
) -> None:
    """Asked for but not locked, locked outside the range, locked but not asked for: stale."""
    folder = project(
        tmp_path / "e", f"[project]\ndependencies = {dependencies}", package("pandas", "2.2.3")
    )
    with pytest.raises(LockStaleError) as caught:
        names(folder)
    assert problem in str(caught.value)
    assert "eggcrate lock e" in caught.value.hint


def test_a_comment_does_not_make_a_lock_stale(tmp_path: Path) -> None:
    """Staleness is a matter of meaning; Poetry's content-hash is not asked."""
    folder = project(
        tmp_path / "e",
        '# why we need it\n[project]\ndependencies = ["pandas"]',
        package("pandas"),
    )
    assert names(folder) == ["pandas==1.0"]


def test_a_missing_lock_says_how_to_make_one(tmp_path: Path) -> None:
    """No lock: its own error, with the command."""
    with pytest.raises(LockMissingError, match="does not exist"):
        read_lock(tmp_path / "poetry.lock")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[package]]\nname = "x"\n<<<<<<< ours\n', r"poetry.lock:3: .*conflict"),
        ("not toml", "not valid TOML"),
        ("[metadata]\n", "not a lock that Poetry wrote"),
        ('[metadata]\nlock-version = "9.0"\n', "format 9.0 is not known"),
    ],
)
def test_a_lock_that_cannot_be_read_says_why(tmp_path: Path, text: str, problem: str) -> None:
    """Merge conflicts, damage and unknown formats are told apart."""
    (tmp_path / "poetry.lock").write_text(text)
    with pytest.raises(LockError, match=problem):
        read_lock(tmp_path / "poetry.lock")


def lock_with_files(folder: Path, *files: str, source: str = "") -> Path:
    listed = ", ".join(f'{{file = "{file}", hash = "{HASH}"}}' for file in files)
    (folder / "poetry.lock").write_text(
        f'[[package]]\nname = "x"\nversion = "1.0"\ngroups = ["main"]\nfiles = [{listed}]\n'
        f'{source}\n[metadata]\nlock-version = "2.1"\n'
    )
    return folder / "poetry.lock"


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (
            ("x-1.0-py3-none-any.whl", "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"),
            "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        ),
        (
            (
                "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
                "x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
            ),
            "x-1.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        ),
        (("x-1.0-cp38-abi3-manylinux1_x86_64.whl",), "x-1.0-cp38-abi3-manylinux1_x86_64.whl"),
        (("x-1.0-1-py3-none-any.whl", "x-1.0-2-py3-none-any.whl"), "x-1.0-2-py3-none-any.whl"),
        (("x-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "x-1.0.tar.gz"), "x-1.0.tar.gz"),
        (("x-1.0-cp311-cp311-manylinux_2_38_x86_64.whl", "x-1.0.tar.gz"), "x-1.0.tar.gz"),
    ],
)
def test_the_best_file_for_the_target_is_chosen(
    tmp_path: Path, files: tuple[str, ...], chosen: str
) -> None:
    """Tags, manylinux levels against the base's glibc, abi3, build numbers; else the sdist."""
    (locked,) = read_lock(lock_with_files(tmp_path, *files)).packages
    assert distribution(locked, AMD64).filename == chosen


def test_no_file_for_the_target_says_what_the_lock_offers(tmp_path: Path) -> None:
    """A package without a wheel or sdist for the target names target and offer."""
    lock = lock_with_files(tmp_path, "x-1.0-cp311-cp311-macosx_11_0_arm64.whl")
    with pytest.raises(UnsupportedPackageError) as caught:
        distribution(read_lock(lock).packages[0], AMD64)
    assert "Python 3.11 on linux/amd64" in str(caught.value)
    assert "macosx" in caught.value.why


def test_a_git_source_is_its_own_error(tmp_path: Path) -> None:
    """A git dependency has no file with a hash: refused with the ways out."""
    lock = lock_with_files(
        tmp_path, "x-1.0.tar.gz", source='[package.source]\ntype = "git"\nurl = "ssh://h/x.git"'
    )
    with pytest.raises(UnsupportedPackageError, match="git source"):
        distribution(read_lock(lock).packages[0], AMD64)


@pytest.mark.parametrize(
    ("constraint", "version", "expected"),
    [
        ("*", "9", True),
        ("^1.2", "1.9.0", True),
        ("^1.2", "2.0.0", False),
        ("~1.2", "1.2.9", True),
        ("~=1.5.2", "1.6.0", False),
        (">=1,<2 || >=3", "3.1", True),
        (">=1.33.2,<2.0.dev0", "1.60.0", True),
        ("==1.5.*", "1.5.9", True),
    ],
)
def test_constraints_in_both_notations(constraint: str, version: str, expected: bool) -> None:
    """PEP 440 and Poetry's carets, tildes and alternatives."""
    assert allows(constraint, version) is expected


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_the_order_of_a_lock_does_not_matter(order: list[str]) -> None:
    """Any order of packages in the lock and of dependencies selects the same set."""
    import tempfile  # noqa: PLC0415 - hypothesis wants no function-scoped fixtures
    from pathlib import Path  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        chain = {"a": "b", "b": "c", "c": "a", "d": "e", "e": "a"}  # with a cycle
        text = "".join(
            package(name, body=f'[package.dependencies]\n{chain[name]} = "*"') for name in order
        )
        folder = project(Path(scratch) / "e", '[project]\ndependencies = ["d"]', text)
        assert names(folder) == [f"{name}==1.0" for name in "abcde"]
