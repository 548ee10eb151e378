"""Bytecode: made by the image's own kind of Python, the same bytes every time."""

from __future__ import annotations

import gzip
import importlib.util
import io
import marshal
import platform
import sys
import tarfile
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from eggcrate.build import bytecode_worker, units
from eggcrate.build.bytecode import bytecode_key, bytecode_unit, compile_sources
from eggcrate.build.interpreter import Interpreter, find_interpreter, resolve
from eggcrate.build.units import blob_path, unit_key
from eggcrate.build.values import Unit, UnitKind
from eggcrate.errors import BuildError, IntegrityError
from eggcrate.packages.entries import Entry
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    from eggcrate.build.archive import UnitWriter

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
SITE = "opt/env/lib/python3.11/site-packages"
SAMPLE = [
    "collections/__init__.py", "typing.py", "dataclasses.py", "argparse.py", "csv.py", "enum.py",
    "email/message.py", "email/header.py", "json/decoder.py", "ast.py", "inspect.py", "os.py",
]  # fmt: skip


@pytest.fixture(scope="module", name="interpreter")
def _interpreter() -> Interpreter:
    """The Python that runs the tests, started the way a base's is."""
    executable = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}").resolve()
    return find_interpreter(
        Path("/"),
        executable=str(executable),
        version=platform.python_version(),
        platform=Platform(os="linux", architecture=MACHINE),
    )


@pytest.fixture(scope="module", name="sources")
def _sources() -> list[tuple[str, bytes]]:
    library = Path(importlib.util.__file__).parent.parent
    return [(f"{SITE}/{name}", (library / name).read_bytes()) for name in sorted(SAMPLE)]


def _unit(cache: Path, sources: list[tuple[str, bytes]]) -> Unit:
    def write(writer: UnitWriter) -> None:
        for path, content in sources:
            writer.add(Entry(path=path, content=content))

    return units.make(
        cache,
        kind=UnitKind.FILES,
        name="thing",
        version="1",
        source="0",
        key=unit_key(UnitKind.FILES, "thing"),
        write=write,
    ).unit


def test_the_pyc_files_of_a_unit(
    tmp_path: Path, interpreter: Interpreter, sources: list[tuple[str, bytes]]
) -> None:
    """Each module gets a ``.pyc`` that Python takes, named by where the image has the module."""
    odd = [
        (f"{SITE}/bad.py", b"print 1\n"),
        (f"{SITE}/deep.py", b"(" * 500 + b")" * 500),
        (f"{SITE}/empty.py", b""),
        (f"{SITE}/latin.py", b"# coding: latin-1\nx = '\xe9'\n"),
        (f"{SITE}/null.py", b"x = 1\0"),
        (f"{SITE}/data.txt", b"x"),
        ("opt/env/bin/script.py", b"x = 1"),
    ]
    unit = _unit(tmp_path, sources + odd)
    record = bytecode_unit(unit, interpreter, folder=SITE, cache=tmp_path)
    assert record.unit.kind is UnitKind.BYTECODE
    content = gzip.decompress(blob_path(tmp_path, record.unit.digest).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        found = {}
        for item in archive:
            if item.isreg():
                file = archive.extractfile(item)
                assert file is not None
                found[item.name] = file.read()
    tag = sys.implementation.cache_tag
    compiled = [path for path, _ in sources] + [f"{SITE}/empty.py", f"{SITE}/latin.py"]
    assert set(found) == {importlib.util.cache_from_source(path) for path in compiled}
    assert all(f"__pycache__/{Path(path).stem}.{tag}.pyc" in "".join(found) for path in compiled)
    for path, source in sources:
        pyc = found[importlib.util.cache_from_source(path)]
        assert pyc[:4] == importlib.util.MAGIC_NUMBER
        assert pyc[4:8] == b"\1\0\0\0"
        assert pyc[8:16] == importlib.util.source_hash(source)
        code = marshal.loads(pyc[16:])  # noqa: S302 - made by us a moment ago
        assert isinstance(code, CodeType)
        assert code.co_filename == f"/{path}"
        assert code == compile(source, f"/{path}", "exec", dont_inherit=True, optimize=0)
    key = bytecode_key(unit.key, version=interpreter.version, folder=SITE)
    assert units.load(tmp_path, key) == record


def test_bytes_do_not_depend_on_company_or_process(
    interpreter: Interpreter, sources: list[tuple[str, bytes]]
) -> None:
    """Together, in reverse, and each alone in a process of its own: the same bytes."""
    together = dict(compile_sources(sources, interpreter))
    assert dict(compile_sources(reversed(sources), interpreter)) == together
    alone: dict[str, bytes] = {}
    for source in sources:
        alone.update(compile_sources([source], interpreter))
    assert alone == together


def test_what_the_process_holds_does_not_matter() -> None:
    """A constant that something else refers to changes what marshal writes, but not our bytes.

    The first half is python/cpython#129724: should it fail one day, CPython has mended it.
    """
    source = b"name = 'a constant'\nother = (1.5, 'x y', 10**20)\nthird = name + ' - '\n"
    normal = bytecode_worker.compiled("/x.py", source)
    code = compile(source, "/x.py", "exec", dont_inherit=True, optimize=0)
    first = marshal.dumps(code)
    kept = [code.co_consts, *code.co_consts, *code.co_names]
    assert marshal.dumps(code) != first
    assert bytecode_worker.compiled("/x.py", source) == normal
    assert kept


def test_strings_that_the_process_interned_do_not_matter() -> None:
    """Equal sets of strings give the same bytes, whether or not their strings were known."""
    source = b"".join(
        b"def f%d(x):\n    return x in {'never_%s', 'heard_%s'}\n" % (number, b"of", b"of")
        for number in range(3)
    )
    normal = bytecode_worker.compiled("/x.py", source)
    kept = [sys.intern("_".join(words)) for words in (("never", "of"), ("heard", "of"))]
    assert bytecode_worker.compiled("/x.py", source) == normal
    assert kept


def test_the_process_agrees_with_another_that_did_much_else(
    interpreter: Interpreter, sources: list[tuple[str, bytes]]
) -> None:
    """A bare fresh process and this one, full of pytest and its names, give the same bytes."""
    fresh = dict(compile_sources(sources, interpreter))
    for path, source in sources:
        content = bytecode_worker.compiled(f"/{path}", source)
        assert content == fresh[importlib.util.cache_from_source(path)]


def test_a_python_of_another_version_is_refused(interpreter: Interpreter) -> None:
    """Bytecode of the wrong version would be ignored by the image: an error instead."""
    from dataclasses import replace  # noqa: PLC0415 - beside its only use

    with pytest.raises(BuildError, match="not the one"):
        compile_sources([("a.py", b"")], replace(interpreter, version="3.11.999"))


def test_a_damaged_unit_is_noticed(
    tmp_path: Path, interpreter: Interpreter, sources: list[tuple[str, bytes]]
) -> None:
    """A blob that cannot be read any more is discarded, so that it is made again."""
    unit = _unit(tmp_path, sources)
    blob = blob_path(tmp_path, unit.digest)
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 0xFF
    blob.write_bytes(content)
    with pytest.raises(IntegrityError):
        bytecode_unit(unit, interpreter, folder=SITE, cache=tmp_path)
    assert units.load(tmp_path, unit.key) is None


def test_a_unit_without_modules_has_no_bytecode(tmp_path: Path, interpreter: Interpreter) -> None:
    """Nothing to compile: a unit without files, and no process is started."""
    unit = _unit(tmp_path, [(f"{SITE}/data.txt", b"x")])
    assert bytecode_unit(unit, interpreter, folder=SITE, cache=tmp_path).files == ()


def test_links_are_followed_inside_the_root(tmp_path: Path) -> None:
    """An absolute link in an unpacked base leads to the base's file, never to the host's."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/real").write_text("x")
    (tmp_path / "lib").symlink_to("/usr/lib")
    (tmp_path / "usr/lib/link").symlink_to("../../../../usr/lib/real")
    (tmp_path / "loop").symlink_to("loop")
    assert resolve(tmp_path, "/lib/link") == tmp_path / "usr/lib/real"
    assert resolve(tmp_path, "/loop") is None
    assert resolve(tmp_path, "/bin/sh") is None
    with pytest.raises(BuildError, match="cannot be started"):
        find_interpreter(
            tmp_path,
            executable="/usr/bin/python3.11",
            version="3.11.2",
            platform=Platform(os="linux", architecture="amd64"),
        )
