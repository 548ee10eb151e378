"""Jobs that change files, for :mod:`support.faults` to disturb."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING

from eggcrate import cli
from eggcrate.build import units
from eggcrate.build.values import UnitKind
from eggcrate.errors import StoreError
from eggcrate.files import atomic_write, atomic_write_all
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.memory import LocalMemory, Pass
from eggcrate.packages.cache import fetch
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.entries import Entry
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import PipConfig
from eggcrate.pipelines.local.memory import TaskMemory
from eggcrate.pipelines.local.record import RunRecord, RunState, TaskRecord, read_record
from eggcrate.pipelines.local.session import RunJournal
from eggcrate.registry.layout import Layout
from eggcrate.report.contents import images_of
from eggcrate.report.folder import write_all
from eggcrate.report.trend import read_previous
from eggcrate.runtimes.rootfs import root_path, unpack
from support.faults import Job
from support.images import file, hard_link, put_image, symlink
from support.matrices import manifests, reader, with_everything
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_KEY, _OLD = "a" * 64, "b" * 64


def _hash(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


def _tree(folder: Path) -> str:
    told = []
    for path in sorted(folder.rglob("*")):
        what = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        told.append(f"{path.relative_to(folder)} {what!r} {path.lstat().st_mode}")
    return _hash("\n".join(told).encode())


# One file, and several that belong together.


def _files(folder: Path) -> None:
    atomic_write_all({folder / "pyproject.toml": "new project", folder / "poetry.lock": "new lock"})
    atomic_write(folder / "new/made", b"made" * 9000)


def _files_before(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("old project")
    (folder / "poetry.lock").write_text("old lock")


def _files_kept(folder: Path) -> None:
    assert (folder / "pyproject.toml").read_text() in ("old project", "new project")
    assert (folder / "poetry.lock").read_text() in ("old lock", "new lock")
    if (folder / "new/made").exists():
        assert (folder / "new/made").read_bytes() == b"made" * 9000


def _files_result(folder: Path) -> str:
    names = ("pyproject.toml", "poetry.lock", "new/made")
    return _hash(*((folder / name).read_bytes() for name in names))


# The store.


def _store_before(folder: Path) -> None:
    layout = Layout(folder / "store")
    put_image(layout, "kept", [[file("a", b"1")], [file("b", b"2" * 5000)]])
    put_image(layout, "moves", [[file("old", b"1")]])


def _store(folder: Path) -> None:
    layout = Layout(folder / "store")
    with layout.in_use():
        put_image(layout, "moves", [[file("new", b"2")], [file("b", b"2" * 5000)]])
        put_image(layout, "fresh", [[file("c", b"3" * 9000)]])
    layout.remove("nothing")
    layout.prune()


def _store_kept(folder: Path) -> None:
    layout = Layout(folder / "store")
    assert layout.verify("kept") == ()
    assert layout.verify("moves") == ()
    if "fresh" in layout.refs():
        assert layout.verify("fresh") == ()


def _store_cut(folder: Path) -> None:
    """A name may be there before its blobs: then they count as missing, never as good."""
    layout = Layout(folder / "store")
    assert layout.verify("kept") == ()
    for ref in layout.refs():
        for problem in layout.verify(ref):
            assert problem.endswith("is missing"), problem


def _store_result(folder: Path) -> str:
    layout = Layout(folder / "store")
    assert not [problem for ref in layout.refs() for problem in layout.verify(ref)]
    return _hash((folder / "store/index.json").read_bytes())


# Units and layers of the user's cache, and their way into a store.


def _unit(folder: Path, name: str, size: int) -> units.UnitRecord:
    cache = folder / "cache"
    key = units.unit_key(UnitKind.FILES, name)
    content = hashlib.shake_256(name.encode()).digest(size)
    entry = Entry(path=f"{name}.bin", content=content)
    return units.load(cache, key) or units.make(
        cache,
        kind=UnitKind.FILES,
        name=name,
        version="1",
        source=name,
        key=key,
        write=lambda writer: writer.add(entry),
    )


def _units(folder: Path) -> None:
    cache, layout = folder / "cache", Layout(folder / "store")
    made = [_unit(folder, name, size).unit for name, size in (("a", 50), ("b", 9000))]
    for group in (made[:1], made):
        layer = units.layer_of(group, cache=cache)
        layout.add_blob_file(units.blob_path(cache, layer.digest), layer.digest, layer.size)


def _units_kept(folder: Path) -> None:
    for path in (folder / "cache/units").rglob("*.json"):
        units.load(folder / "cache", path.stem)


def _units_result(folder: Path) -> str:
    blobs = [*(folder / "store/blobs/sha256").glob("[!.]*")]
    for blob in blobs:
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    return _hash(*sorted(blob.name.encode() for blob in blobs))


# Downloads.


def _download_before(folder: Path) -> None:
    wheels = (make_wheel(folder / "links", name) for name in ("alpha", "beta"))
    told = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels}
    (folder / "wanted.json").write_text(json.dumps(told))


def _wanted(folder: Path) -> list[Distribution]:
    told = json.loads((folder / "wanted.json").read_text())
    return [
        Distribution(name=name.partition("-")[0], version="1.0", filename=name, sha256=sha256)
        for name, sha256 in told.items()
    ]


def _download(folder: Path) -> None:
    config = PipConfig(index_url="", no_index=True, find_links=((folder / "links").as_uri(),))
    with Indexes(config) as indexes:
        fetch(_wanted(folder), cache=folder / "cache", indexes=indexes, jobs=1)


def _download_result(folder: Path) -> str:
    for one in _wanted(folder):
        path = folder / "cache/files" / one.sha256[:2] / one.sha256 / one.filename
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.sha256
    return _hash((folder / "wanted.json").read_bytes())


# What is remembered of cells and tasks.


def _pass(key: str) -> tuple[str, Pass]:
    result = CellResult(
        cell=Cell(component="step", flavour="", environment="one"),
        outcome=Outcome.PASSED,
        image="sha256:1",
        key=key,
        date="2026-11-22T11:45:00Z",
        runtime="docker",
    )
    found = Pass.of(result)
    assert found
    return ("one", found)


def _memory_before(folder: Path) -> None:
    LocalMemory(folder / "cache").remember([_pass(_OLD)])
    (folder / "out/sub").mkdir(parents=True)
    (folder / "out/sub/model").write_bytes(b"weights" * 100)
    TaskMemory(folder=folder / "tasks").remember(_OLD, "run-0", folder / "out")


def _memory(folder: Path) -> None:
    memory = LocalMemory(folder / "cache")
    memory.remember([_pass(_KEY)])
    memory.forget({"c" * 64: "one"})
    tasks = TaskMemory(folder=folder / "tasks")
    if tasks.recall(_KEY, folder / "given") is None:
        tasks.remember(_KEY, "run-1", folder / "out")


def _memory_kept(folder: Path) -> None:
    found = LocalMemory(folder / "cache").recall({_KEY: "one", _OLD: "one"})
    assert _OLD in found
    tasks = TaskMemory(folder=folder / "tasks")
    assert tasks.recall(_OLD, folder / "old") == "run-0"
    with suppress(FileNotFoundError):  # none of it, or all of it
        if tasks.recall(_KEY, folder / "seen"):
            assert _tree(folder / "seen") == _tree(folder / "out")


def _memory_result(folder: Path) -> str:
    assert len(LocalMemory(folder / "cache").recall({_KEY: "one", _OLD: "one"})) == 2
    TaskMemory(folder=folder / "tasks").recall(_KEY, folder / "last")
    return _tree(folder / "last")


# What a run of the matrix and a run of a pipeline write down.


class _Unseen:
    def changed(self, record: TaskRecord) -> None:
        """Nobody looks."""


def _write_down(folder: Path, state: RunState, run: str) -> None:
    session = with_everything()
    blobs = reader(manifests(*images_of(session)))
    write_all(session, folder / "matrix", read_blob=blobs)
    journal = RunJournal(
        folder=folder / run, record=RunRecord(pipeline="p", run=run), watcher=_Unseen()
    )
    journal.close(RunState.RUNNING)
    journal.close(state)


def _records_kept(folder: Path) -> None:
    """A run that was under way when power was cut may have no record; never a wrong one."""
    assert len(read_previous(folder / "matrix")) > 1
    assert read_record(folder / "first/run.json").state is RunState.FAILED
    with suppress(StoreError):
        assert read_record(folder / "second/run.json").run == "second"


def _records_result(folder: Path) -> str:
    state = read_record(folder / "second/run.json").state.value
    before = read_previous(folder / "matrix")
    cells = {str(cell): last.outcome.value for cell, last in before.items()}
    page = (folder / "matrix/index.html").stat().st_size > 1000
    return f"{state} {page} {_hash(json.dumps(cells, sort_keys=True).encode())}"


# Images unpacked for cells.


def _image(folder: Path) -> str:
    return Layout(folder / "store").refs()["one"].digest


def _unpack_before(folder: Path) -> None:
    program = file("bin/python", b"python" * 2000, 0o755)
    layers = [
        [program, file("lib/a.py", b"A = 1"), hard_link("bin/python3", "bin/python")],
        [file("lib/b.py", b"B = 1"), symlink("lib/c.py", "b.py")],
    ]
    put_image(Layout(folder / "store"), "one", [*layers])


def _unpack(folder: Path) -> None:
    unpack(Layout(folder / "store"), _image(folder), folder / "cache")


def _unpack_result(folder: Path) -> str:
    return _tree(root_path(folder / "cache", _image(folder)))


# The command line in a repository of small packages; the test prepares it.


def _told(folder: Path) -> None:
    links = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "links")}
    index = folder / "index"
    told = {"PIP_INDEX_URL": index.read_text()} if index.exists() else links
    os.environ.update(EGGCRATE_CACHE=str(folder / "cache"), PIP_CONFIG_FILE=os.devnull, **told)


def _command(*arguments: str) -> Callable[[Path], int]:
    def act(folder: Path) -> int:
        _told(folder)
        return cli.main(["--repo", str(folder / "repo"), *arguments])

    return act


def _images_kept(folder: Path) -> None:
    layout = Layout(folder / "repo/.eggcrate/store")
    for ref in layout.refs():
        for problem in layout.verify(ref):
            assert problem.endswith("is missing"), problem


def _images(folder: Path) -> str:
    layout = Layout(folder / "repo/.eggcrate/store")
    refs = layout.refs()
    assert not [problem for ref in refs for problem in layout.verify(ref)]
    return " ".join(f"{ref} {refs[ref].digest[7:15]}" for ref in sorted(refs) if "." not in ref)


def _project(folder: Path) -> tuple[bytes, bytes]:
    one = folder / "repo/environments/one"
    return (one / "pyproject.toml").read_bytes(), (one / "poetry.lock").read_bytes()


def _project_kept(folder: Path) -> None:
    """Both files can be read: each is the one before or the one after, whole."""
    for content in _project(folder):
        tomllib.loads(content.decode())


def _nothing(folder: Path) -> None:
    """For what is checked afterwards alone."""


JOBS = {
    "files": Job(before=_files_before, act=_files, kept=_files_kept, result=_files_result),
    "store": Job(before=_store_before, act=_store, kept=_store_kept, result=_store_result),
    "store-cut": Job(before=_store_before, act=_store, kept=_store_cut, result=_store_result),
    "units": Job(before=_nothing, act=_units, kept=_units_kept, result=_units_result),
    "download": Job(before=_download_before, act=_download, kept=_nothing, result=_download_result),
    "memory": Job(before=_memory_before, act=_memory, kept=_memory_kept, result=_memory_result),
    "unpack": Job(before=_unpack_before, act=_unpack, kept=_nothing, result=_unpack_result),
    "records": Job(
        before=lambda folder: _write_down(folder, RunState.FAILED, "first"),
        act=lambda folder: _write_down(folder, RunState.SUCCEEDED, "second"),
        kept=_records_kept,
        result=_records_result,
    ),
    "add": Job(
        before=_nothing,
        act=_command("add", "one", "epsilon"),
        kept=_project_kept,
        result=lambda folder: _hash(*_project(folder)),
    ),
    "build": Job(
        before=_nothing, act=_command("build", "--all"), kept=_images_kept, result=_images
    ),
}
