"""Packages that only an sdist with C code is published of: compiled once, the same everywhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.compilers import compiler_base
from eggcrate.repo.monorepo import read_monorepo
from support.repository import HERE, Ran, Repository, copy_cache, make_repository, packages
from support.wheels import make_sdist

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

_SETUP = """
from setuptools import Extension, setup
setup(name={name!r}, version="1.0", ext_modules=[Extension({name!r}, [{name!r} + ".c"])])
"""
_C = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *nothing) {{ return PyLong_FromLong(42); }}
static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, __FILE__}}, {{NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, {name!r}, NULL, -1, methods}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
_CXX = """
from setuptools import Extension, setup
setup(name={name!r}, version="1.0", ext_modules=[Extension({name!r}, [{name!r} + ".cpp"])])
"""
_MAIN = "from eggcrate import cli; sys.exit(cli.main(sys.argv[1:]))"
_ANSWER = "import {0}; print({0}.answer())"


def sdist(repository: Repository, name: str, **files: str) -> dict[str, str]:
    """An environment that locks an sdist of these files; the variables to build it with."""
    links = repository.root.parent / "links"
    contents = {file.replace("__", "."): text.format(name=name) for file, text in files.items()}
    repository.environment(name, packages(make_sdist(links, name, files=contents)))
    return {"PIP_FIND_LINKS": str(links)}


def native(repository: Repository, name: str) -> dict[str, str]:
    """An sdist of one extension module in C."""
    return sdist(
        repository, name, setup__py=_SETUP, **{f"{name}__c": _C.replace("{name!r}", '"{name}"')}
    )


@pytest.fixture(scope="module")
def shop(base_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose cache has the compilers at hand after the first test."""
    folder = tmp_path_factory.mktemp("compiled")
    repository = make_repository(folder / "repo", copy_cache(base_cache, folder / "cache"))
    repository.pip = {}
    return repository


def run_without(repository: Repository, *gone: str, command: str, **variables: str) -> Ran:
    """The command line on a machine that has not got these runtimes."""
    off = "; ".join(f"{name}.available = lambda: 'switched off'" for name in gone)
    code = f"import sys; from eggcrate.runtimes import {', '.join(gone)}; {off}\n{_MAIN}"
    arguments = ["--repo", str(repository.root), *command.split()]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=repository.variables(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def wheels(cache: Path) -> dict[str, str]:
    """Hash by name of the wheels that were made of sdists."""
    records = [json.loads(path.read_bytes()) for path in cache.glob("built/*.json")]
    return {record["filename"]: record["sha256"] for record in records}


def test_it_is_compiled_and_runs(shop: Repository) -> None:
    """In an image of the base's own Python that has neither the compiler nor the sdist."""
    digest = shop.build("first", extra=native(shop, "first"))["first linux/amd64"]
    assert shop.python(digest, _ANSWER.format("first")) == "42"
    assert wheels(shop.cache).keys() == {"first-1.0-cp311-cp311-linux_x86_64.whl"}
    assert shop.inside(digest, "/usr/bin/gcc", "--version").exit_code != 0


def test_a_cached_wheel_needs_nothing(shop: Repository) -> None:
    """Neither Docker nor a sandbox; without it, the error says what to do."""
    extra = native(shop, "kept")
    shop.build("kept", extra=extra)
    shutil.rmtree(shop.store.root)
    both = ("sandbox", "docker")
    ran = run_without(shop, *both, command="build kept --json", **extra)
    assert (ran.code, ran.results[0]["verdict"]) == (0, "built"), ran
    ran = run_without(shop, *both, command="build other --json", **native(shop, "other"))
    assert (ran.code, ran.calm) == (1, True), ran
    for text in ("this machine has no isolation to build it in", "start Docker"):
        assert text in ran.results[0]["error"]


@pytest.mark.docker
def test_sandbox_and_docker_make_the_same_wheel(
    shop: Repository, docker_daemon: str, tmp_path: Path
) -> None:
    """In another cache, another folder, another isolation: one wheel, and so one image."""
    extra = native(shop, "same")
    digest = shop.build("same", extra=extra)["same linux/amd64"]
    other = make_repository(tmp_path / "repo", copy_cache(shop.cache, tmp_path / "cache"))
    shutil.rmtree(other.cache / "built")
    shutil.copytree(shop.root / "environments/same", other.root / "environments/same")
    ran = run_without(other, "sandbox", command="build same --json", **extra)
    assert ran.code == 0, ran
    assert ran.results[0]["digest"] == digest
    name = "same-1.0-cp311-cp311-linux_x86_64.whl"
    assert wheels(other.cache) == {name: wheels(shop.cache)[name]}


def test_what_does_not_compile_is_told(shop: Repository) -> None:
    """With what the compiler says, and the ways out."""
    extra = sdist(shop, "broken", setup__py=_CXX, broken__cpp="int wrong( {{ return 1; }}")
    ran = shop.run("build", "broken", "--json", extra=extra)
    assert (ran.code, ran.calm) == (1, True), ran.err
    (result,) = ran.results
    assert result["verdict"] == "blocked"
    for text in ("broken 1.0", "with the compilers of python-3.11-build", "broken.cpp:1", "wheel"):
        assert text in result["error"], result["error"]


def test_a_backend_that_is_not_at_hand_is_told(shop: Repository) -> None:
    """No compiler would help: none is fetched."""
    project = (
        '[build-system]\nrequires = ["unheard-of>=1"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    extra = sdist(shop, "odd", setup__py=_SETUP, pyproject__toml=project)
    ran = shop.run("build", "odd", "--json", extra=extra)
    assert (ran.code, ran.calm) == (1, True), ran.err
    assert "not among its build backends: unheard-of>=1" in ran.results[0]["error"]
    assert "compilers" not in ran.results[0]["error"]


def test_the_compilers_are_part_of_the_key(shop: Repository) -> None:
    """What was compiled with others is another image, known before anything is built."""
    native(shop, "keyed")

    def key() -> str:
        (found,) = shop.run("build", "keyed", "--dry-run", "--json").results
        return str(found["key"])

    before = key()
    path = shop.root / "bases/python-3.11-build"
    kept = {name: (path / name).read_text() for name in ("base.toml", "base.lock")}
    try:
        for name, text in kept.items():
            lines = [line for line in text.splitlines() if '"pkgconf"' not in line]
            (path / name).write_text("\n".join(lines) + "\n")
        assert key() != before
        shutil.rmtree(path)
        assert key() != before
    finally:
        path.mkdir(exist_ok=True)
        for name, text in kept.items():
            (path / name).write_text(text)
    assert key() == before


def test_every_base_has_its_compilers() -> None:
    """Those of a base serve what extends it too."""
    bases = read_monorepo(HERE).bases
    for minor in ("3.11", "3.13"):
        plain, debug = bases[f"python-{minor}"], bases[f"python-{minor}-debug"]
        assert compiler_base([plain, debug], bases) == bases[f"python-{minor}-build"]
        assert compiler_base([plain], {plain.name: plain}) is None
