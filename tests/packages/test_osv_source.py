"""Where records come from; whatever goes wrong there is an error and never a clean bill."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import ConfigError, EggcrateError, VulnerabilityDataError
from eggcrate.packages.osv import PYPI, Package, hits
from eggcrate.packages.osv_source import read_records
from support.endless import endless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIX = Package(ecosystem=PYPI, name="six", version="1.0")
LIBC = Package(ecosystem="Debian:12", name="glibc", version="2.36-9")


def about(package: Package, identifier: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "affected": [
            {
                "package": {"ecosystem": package.ecosystem, "name": package.name},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
    }


def zipped(*documents: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, document in enumerate(documents):
            archive.writestr(f"{number}.json", json.dumps(document))
        archive.writestr("README", "not a record")
    return file.getvalue()


class Database:
    """A mirror and the interface of OSV on loopback."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.status = 0
        self.results: list[Any] = []
        self.asked: list[str] = []
        database = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                if self.path in database.files:
                    content = database.files[self.path]
                    tag = f'"{hash(content)}"'
                    same = self.headers.get("if-none-match") == tag
                    self.answer(304 if same else 200, b"" if same else content, tag)
                elif name in database.records:
                    self.answer(200, json.dumps(database.records[name]).encode())
                else:
                    self.answer(404, b"")

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                queries = json.loads(self.rfile.read(length))["queries"]
                results = database.results.pop(0) if database.results else [{} for _ in queries]
                self.answer(200, json.dumps({"results": results}).encode())

            def answer(self, status: int, content: bytes, tag: str = "") -> None:
                status = database.status or status
                database.asked.append(f"{self.command} {self.path} {status}")
                self.send_response(status)
                if tag:
                    self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database()
    threading.Thread(target=found.server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def names(where: str, cache: Path, *packages: Package) -> set[str]:
    """What is found of these packages."""
    records = read_records(where, packages, cache=cache)
    return {hit.vulnerability.id for hit in hits(packages, records.found)}


def test_a_folder_of_records_and_zips(tmp_path: Path) -> None:
    """Read to the bottom; what is about other packages only counts."""
    folder = tmp_path / "osv" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(about(SIX, "A")))
    other = about(Package(ecosystem=PYPI, name="other", version=""), "O")
    (folder / "all.zip").write_bytes(zipped(about(LIBC, "L"), other))
    assert names(str(tmp_path / "osv"), tmp_path, SIX, LIBC) == {"A", "L"}
    assert names(str(folder / "all.zip"), tmp_path, LIBC) == {"L"}
    assert read_records(str(tmp_path / "osv"), [SIX], cache=tmp_path).count == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("a.json", b"[1]"),
        ("a.json", b"{}"),
        ("a.json", b"\xff"),
        ("a.json", b"[" * 100_000),
        ("a.zip", b"PK"),
        ("a.zip", zipped([])),
        ("a.zip", zipped(about(SIX, "A"))[:-30]),
        ("README", b"nothing here"),
        ("a.json", json.dumps(about(LIBC, "L")).encode()),
    ],
    ids=[
        *("cut", "a list", "empty", "no text", "deep", "not a zip", "an empty record"),
        *("a cut zip", "no record", "of another system"),
    ],
)
def test_what_cannot_be_read_is_an_error(name: str, content: bytes, tmp_path: Path) -> None:
    """Also a database that knows nothing of an ecosystem that is asked about."""
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / name).write_bytes(content)
    with pytest.raises(VulnerabilityDataError):
        read_records(str(tmp_path / "osv"), [SIX], cache=tmp_path)


def test_without_a_database_nothing_is_good(tmp_path: Path) -> None:
    """None named, one that is not there, one that nobody serves."""
    with pytest.raises(ConfigError):
        read_records("", [SIX], cache=tmp_path)
    for where in ("no-such-folder", "http://127.0.0.1:9/osv", "http://127.0.0.1:9/v1"):
        with pytest.raises(VulnerabilityDataError):
            read_records(where, [SIX], cache=tmp_path)


def test_a_mirror_is_asked_each_time_and_sends_what_is_new(
    database: Database, tmp_path: Path
) -> None:
    """One file for each ecosystem; a copy in the cache never stands in for a mirror that fails."""
    database.files = {
        "/osv/PyPI/all.zip": zipped(about(SIX, "A")),
        "/osv/Debian%3A12/all.zip": zipped(about(LIBC, "L")),
    }
    where = f"{database.url}/osv/"
    assert names(where, tmp_path, SIX, LIBC) == {"A", "L"}
    assert names(where, tmp_path, SIX) == {"A"}
    assert [line[-3:] for line in database.asked] == ["200", "200", "304"]
    database.files["/osv/PyPI/all.zip"] = zipped(about(SIX, "B"))
    assert names(where, tmp_path, SIX) == {"B"}
    for status in (403, 404, 500, 304):
        database.status = status
        if status == 304:
            database.files.pop("/osv/PyPI/all.zip")
            for path in (tmp_path / "osv").iterdir():
                path.unlink()
        with pytest.raises(VulnerabilityDataError):
            names(where, tmp_path, SIX)


def test_the_interface_is_asked_page_by_page(database: Database, tmp_path: Path) -> None:
    """And its records are judged here: one that is about other versions is not told."""
    fixed = about(SIX, "F")
    fixed["affected"][0]["ranges"][0]["events"].append({"fixed": "0.5"})
    database.records = {"A": about(SIX, "A"), "B": about(LIBC, "B"), "F": fixed}
    database.results = [
        [{"vulns": [{"id": "A"}, {"id": "F"}]}, {"next_page_token": "more"}],
        [{"vulns": [{"id": "B"}]}],
    ]
    assert names(f"{database.url}/v1", tmp_path, SIX, LIBC) == {"A", "B"}
    assert names(f"{database.url}/v1", tmp_path, SIX) == set()


@pytest.mark.parametrize(
    "results",
    [[], [1], [{"vulns": 3}], [{"vulns": [{}]}], [{}, {}], "x", [{"vulns": [{"id": "Z"}]}]],
)
def test_answers_that_are_none_are_errors(results: Any, database: Database, tmp_path: Path) -> None:
    """Too few, too many, not what was asked for, or a record that nobody has."""
    database.results = [results]
    with pytest.raises(EggcrateError):
        read_records(f"{database.url}/v1", [SIX], cache=tmp_path)
    database.results = [[{"next_page_token": "x"}]] * 200
    with pytest.raises(VulnerabilityDataError, match="cannot be had"):
        read_records(f"{database.url}/v1", [SIX], cache=tmp_path)


def test_an_answer_that_never_ends_is_broken_off(tmp_path: Path) -> None:
    """The interface may send no more than a record can be."""
    with (
        endless() as address,
        pytest.raises(VulnerabilityDataError, match="cannot be had") as raised,
    ):
        read_records(f"http://{address}/v1", [SIX], cache=tmp_path)
    assert "more than any record" in raised.value.why
