"""Environments with a ``Dockerfile``: what their key depends on, and what BuildKit makes of them.

The daemon and BuildKit are real. No image is pulled: everything is built on Eggcrate's bases.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.build import context
from eggcrate.build.resolve import resolve
from eggcrate.errors import ConfigError
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform
from eggcrate.repo.monorepo import read_monorepo
from support.repository import HERE, make_repository, packages, real_packages, take_debs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from support.repository import Repository

TEMPLATE = (HERE / "environments" / "_template" / "Dockerfile.example").read_text()
ON_313 = 'base = "python-3.13"'
LOCKED = real_packages("sklearn-1-9", "python-dateutil", "tzdata")
docker = pytest.mark.docker
network = pytest.mark.network


@pytest.fixture
def plain(tmp_path: Path) -> Repository:
    """A repository with an environment that holds no package and has a ``Dockerfile``."""
    repository = make_repository(tmp_path / "repo", tmp_path / "cache", links=tmp_path / "links")
    folder = repository.environment("dock", (), settings=ON_313)
    (folder / "Dockerfile").write_text(TEMPLATE)
    (folder / "tool.sh").write_text("echo hello\n")
    (folder / "data").mkdir()
    (folder / "data" / "latest").symlink_to("one.csv")
    return repository


def resolved(repository: Repository, name: str = "dock") -> Resolved:
    monorepo = read_monorepo(repository.root)
    return resolve(monorepo.environments[name], monorepo.bases, Platform.parse("linux/amd64"))


def _append(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(path.read_text() + text)


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "Dockerfile": ("Dockerfile", _append("ENV COLOUR=blue\n")),
    "a file of the context": ("tool.sh", _append("echo again\n")),
    "an executable bit": ("tool.sh", lambda path: path.chmod(0o755)),
    "where a link leads": ("data/latest", lambda path: (path.unlink(), path.symlink_to("2.csv"))),
    "a new file": ("data/one.csv", lambda path: path.write_text("1,2\n")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_build_sees_changes_the_key(plain: Repository, name: str) -> None:
    """Each file of the context counts, by its path, bytes, executable bit or target."""
    before = resolved(plain)
    path, change = CHANGES[name]
    change(plain.root / "environments" / "dock" / path)
    after = resolved(plain)
    assert after.recipe.key != before.recipe.key
    again = replace(after.recipe, dockerfile_key=before.recipe.dockerfile_key)
    assert again.key == before.recipe.key


def test_what_the_build_does_not_see_leaves_the_key(plain: Repository) -> None:
    """Comments in project and lock, ignored files, and permissions that no image has."""
    folder = plain.root / "environments" / "dock"
    (folder / ".dockerignore").write_text("# notes\n*.md\ndata/raw\n")
    before = resolved(plain).recipe.key
    for name in ("pyproject.toml", "poetry.lock"):
        _append("\n# a remark\n")(folder / name)
    (folder / "README.md").write_text("read me\n")
    (folder / "data" / "raw").mkdir()
    (folder / "data" / "raw" / "big.bin").write_bytes(bytes(10))
    (folder / "tool.sh").chmod(0o600)
    assert resolved(plain).recipe.key == before
    (folder / ".dockerignore").write_text("*.md\n")
    assert resolved(plain).recipe.key != before


def test_the_key_depends_on_each_base_and_on_the_dockerfile_being_there(plain: Repository) -> None:
    """A base named by an argument counts; without a ``Dockerfile`` the recipe knows of none."""
    environment = resolved(plain).environment
    target = resolved(plain).recipe.target
    assert set(resolved(plain).stages) == {"EGGCRATE_BUILDER"}
    keys = {context.context_key(environment, {"EGGCRATE_BUILDER": k}, target) for k in "ab"}
    assert len(keys) == 2
    (plain.root / "environments" / "dock" / "Dockerfile").unlink()
    without = resolved(plain)
    assert (without.recipe.dockerfile_key, without.stages) == ("", {})
    assert "dockerfile" not in without.recipe.document()


def test_an_argument_that_names_no_base_is_refused(plain: Repository) -> None:
    """The error names the file, the argument and the bases there are."""
    path = plain.root / "environments" / "dock" / "Dockerfile"
    path.write_text("ARG EGGCRATE_BASE\nARG EGGCRATE_OTHER=python-2\nFROM ${EGGCRATE_OTHER}\n")
    with pytest.raises(ConfigError) as raised:
        resolved(plain)
    told = str(raised.value)
    assert all(text in told for text in (str(path), "EGGCRATE_OTHER", "python-3.13-debug"))


def test_the_lock_reaches_pip_with_its_hashes() -> None:
    """One line a package: exact version and the hash of its one file, sorted."""
    items = [
        Distribution(name=name, version="1.0", filename=f"{name}.whl", sha256=name * 64)
        for name in "ba"
    ]
    told = context.requirements(items).splitlines()
    assert told == [f"{name}==1.0 --hash=sha256:{name * 64}" for name in "ab"]


def test_without_a_daemon_it_says_what_to_do(plain: Repository, tmp_path: Path) -> None:
    """The environment fails by itself; planning needs no daemon."""
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    assert plain.run("build", "--all", "--dry-run", extra=nowhere).code == 0
    ran = plain.run("build", "--all", "--json", extra=nowhere)
    assert (ran.code, ran.calm) == (1, True), ran.err
    error = ran.results[0]["error"]
    assert all(text in error for text in ("no.sock", "start Docker", "remove the Dockerfile"))
    assert not plain.store.refs()


@pytest.fixture(scope="module")
def docked(tmp_path_factory: pytest.TempPathFactory, docker_daemon: str) -> Repository:
    """A built repository: ``dock`` has a ``Dockerfile``, ``layered`` the same lock and none."""
    folder = tmp_path_factory.mktemp("docked")
    take_debs(folder / "cache")
    repository = make_repository(folder / "repo", folder / "cache")
    dock = repository.environment("dock", LOCKED, settings=ON_313, python=">=3.13")
    (dock / "Dockerfile").write_text(
        f'{TEMPLATE}COPY notes.txt /opt/notes.txt\nWORKDIR /opt\nENV COLOUR=blue\nLABEL "x"="y"\n'
    )
    (dock / "notes.txt").write_text("kept\n")
    repository.environment("layered", LOCKED, settings=ON_313, python=">=3.13")
    repository.build()
    return repository


def digest_of(repository: Repository, name: str) -> str:
    return repository.store.resolve(name).digest


@docker
@network
@pytest.mark.sandbox
@pytest.mark.xdist_group("docker")
def test_the_template_makes_the_same_environment(docked: Repository) -> None:
    """Packages, interpreter and base layers are those of the layered builder."""
    dock, layered = (docked.manifest(digest_of(docked, name)) for name in ("dock", "layered"))
    assert dock.layers[:2] == layered.layers[:2]
    for name in ("packages", "base-key", "platform"):
        assert (
            dock.annotations[f"dev.eggcrate.{name}"] == layered.annotations[f"dev.eggcrate.{name}"]
        )
    script = (
        "import sys, dateutil, importlib.metadata as m, pathlib, os\n"
        "held = sorted((d.name, d.version) for d in m.distributions())\n"
        "cached = pathlib.Path(dateutil.__cached__).exists()\n"
        "print(held, sys.prefix, cached, os.path.exists('/eggcrate'))"
    )
    told = docked.python(digest_of(docked, "dock"), script)
    assert told == docked.python(digest_of(docked, "layered"), script)
    more = "import os; print(open('/opt/notes.txt').read().strip(), os.environ['COLOUR'])"
    assert docked.python(digest_of(docked, "dock"), more) == "kept blue"


@docker
@network
@pytest.mark.tools
@pytest.mark.xdist_group("docker")
def test_the_image_is_a_valid_one_with_our_labels(docked: Repository) -> None:
    """``skopeo`` reads it from the store; docker's own settings and our labels are there."""
    argv = ["skopeo", "inspect", "--config", f"oci:{docked.store.root}:dock"]
    told = subprocess.run(argv, check=True, capture_output=True).stdout
    config = json.loads(told)["config"]
    annotations = docked.manifest(digest_of(docked, "dock")).annotations
    assert config["Labels"] == {**annotations, "x": "y"}
    assert config["WorkingDir"] == "/opt"
    assert "PATH=/opt/env/bin:" in "\n".join(config["Env"])
    assert docked.store.verify("dock") == ()


@docker
@network
@pytest.mark.xdist_group("docker")
def test_a_key_is_built_once(docked: Repository, tmp_path: Path) -> None:
    """Nothing is built again, not even without a daemon; a changed file is to be built."""
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    ran = docked.run("build", "--all", "--json", extra=nowhere)
    assert (ran.code, {one["verdict"] for one in ran.results}) == (0, {"up-to-date"})
    notes = docked.root / "environments" / "dock" / "notes.txt"
    before = notes.read_text()
    try:
        notes.write_text("other\n")
        ran = docked.run("build", "--all", "--json", "--dry-run")
        verdicts = {one["name"]: one["verdict"] for one in ran.results}
        assert verdicts == {"dock": "build", "layered": "up-to-date"}
        assert "recipe-changed" in docked.run("plan", "--json").out
    finally:
        notes.write_text(before)


@docker
@network
@pytest.mark.xdist_group("docker")
@pytest.mark.parametrize("runtime", [pytest.param("sandbox", marks=pytest.mark.sandbox), "docker"])
def test_cells_pass_in_it(docked: Repository, runtime: str) -> None:
    """Its image is one column of the matrix, in either runtime."""
    folder = docked.root / "components" / "dates"
    if not folder.is_dir():
        (folder / "tests").mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "dates"\nrequires-python = ">=3.11"\n'
            'dependencies = ["python-dateutil"]\n'
        )
        (folder / "tests" / "test_dates.py").write_text(
            "from dateutil.parser import parse\n\n"
            "def test_it(flavour):\n    assert parse('2026-11-22').year == 2026\n"
        )
    ran = docked.run("matrix", "--runtime", runtime, "--rerun", "--json")
    assert ran.code == 0, ran.err
    cells = {cell["environment"]: cell["outcome"] for cell in json.loads(ran.out)["cells"]}
    assert cells == {"dock": "passed", "layered": "passed"}


@docker
@network
@pytest.mark.xdist_group("docker")
def test_what_fails_is_told_and_stops_no_other(docked: Repository) -> None:
    """A failing step with the end of its output; an image that does not hold its lock."""
    texts = {
        "broken": "FROM ${EGGCRATE_BUILDER}\nRUN echo the reason is here; exit 7\n",
        "forgetful": "FROM ${EGGCRATE_BASE}\nCOPY pip.txt /\n",
    }
    head = "ARG EGGCRATE_BASE\nARG EGGCRATE_BUILDER=python-3.13-debug\n"
    for name, text in texts.items():
        folder = docked.environment(name, LOCKED, settings=ON_313, python=">=3.13")
        (folder / "Dockerfile").write_text(head + text)
        (folder / "pip.txt").touch()
    try:
        ran = docked.run("build", "--all", "--json")
        assert (ran.code, ran.calm) == (1, True), ran.err
        told = {one["name"]: one["error"] for one in ran.results}
        assert "the reason is here" in told["broken"]
        assert "environments/broken/Dockerfile" in told["broken"]
        assert "python-dateutil" in told["forgetful"]
        assert "Dockerfile.example" in told["forgetful"]
        assert told["dock"] == told["layered"] == ""
        left = [path.name for path in (docked.cache / "docker").iterdir() if path.is_dir()]
        assert left == []
    finally:
        for name in texts:
            shutil.rmtree(docked.root / "environments" / name)


@docker
@network
@pytest.mark.sandbox
@pytest.mark.xdist_group("docker")
def test_a_package_is_compiled_by_the_compiler_of_a_base(
    docked: Repository, tmp_path: Path
) -> None:
    """An sdist of C is built by gcc from a locked base; no compiler is in the image."""
    compilers = docked.root / "bases" / "python-3.13-gcc"
    compilers.mkdir()
    (compilers / "base.toml").write_text(
        'description = "python-3.13-debug with a C compiler"\nextends = "python-3.13-debug"\n'
        'packages = ["gcc", "libc6-dev", "libpython3.13-dev"]\n'
        'exclude = ["debianutils", "init-system-helpers"]\n'
    )
    sdist = c_extension(tmp_path / "links")
    folder = docked.environment("compiled", packages(sdist), settings=ON_313, python=">=3.13")
    (folder / "Dockerfile").write_text(TEMPLATE.replace("python-3.13-debug", compilers.name))
    try:
        locked = docked.run("lock", "--bases")
        assert locked.code == 0, locked.err
        made = docked.build("compiled", extra={"PIP_FIND_LINKS": str(sdist.parent)})
        script = "import tinyc, shutil; print(tinyc.answer(), shutil.which('gcc'))"
        assert docked.python(made["compiled linux/amd64"], script) == "42 None"
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(compilers)


def c_extension(folder: Path) -> Path:
    """The sdist of a package that is one C file."""
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: tinyc\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
        'build-backend = "setuptools.build_meta"\n[project]\nname = "tinyc"\nversion = "1.0"\n',
        "setup.py": "from setuptools import Extension, setup\n"
        'setup(ext_modules=[Extension("tinyc", ["tinyc.c"])])\n',
        "tinyc.c": """
            #include <Python.h>
            static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
            static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL}};
            static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "tinyc", "", -1, methods};
            PyMODINIT_FUNC PyInit_tinyc(void) { return PyModule_Create(&module); }
        """,
    }
    folder.mkdir(parents=True)
    path = folder / "tinyc-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"tinyc-1.0/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
