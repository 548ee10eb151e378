"""Killed, crowded, starved and damaged: what the next run makes of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from support.repository import Repository, copy_cache, make_repository, noise, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

pytestmark = pytest.mark.network

KILLS = 12
DELAY = 0.13
"""Seconds between the moments of two kills; an undisturbed build takes some of them."""

_SMALL = 20_000
"""Bytes of a record; those of the base's own parts are larger, and slow to make anew."""


def _populate(repository: Repository, links: Path) -> None:
    made = [
        make_wheel(
            links,
            f"part-{number}",
            files={
                f"part_{number}.py": f"VALUE = {number}\n" * 200,
                f"part_{number}.bin": noise(str(number), 1 << (12 + number)),
            },
        )
        for number in range(10)
    ]
    repository.environment("one", packages(*made))
    repository.environment("two", packages(*made[5:]))


@pytest.fixture(scope="session")
def undisturbed(
    base_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Repository, dict[str, str]]:
    """A repository built in peace, never to be written to, and its digests."""
    folder = tmp_path_factory.mktemp("peace")
    cache = copy_cache(base_cache, folder / "cache")
    repository = make_repository(folder / "repo", cache, links=folder / "links")
    _populate(repository, folder / "links")
    return repository, repository.build()


@pytest.fixture
def built(undisturbed: tuple[Repository, dict[str, str]], tmp_path: Path) -> Repository:
    """A copy of it that may be damaged: no file is shared with anything."""
    original, _ = undisturbed
    shutil.copytree(original.root, tmp_path / "repo")
    copy_cache(original.cache, tmp_path / "cache", linked=False)
    return Repository(root=tmp_path / "repo", cache=tmp_path / "cache", pip=original.pip)


def _fresh(original: Repository, base_cache: Path, tmp_path: Path) -> Repository:
    """The same environments, with nothing of them built."""
    left_out = shutil.ignore_patterns(".eggcrate")
    shutil.copytree(original.root, tmp_path / "repo", ignore=left_out)
    cache = copy_cache(base_cache, tmp_path / "cache")
    return Repository(root=tmp_path / "repo", cache=cache, pip=original.pip)


def _sound(repository: Repository) -> None:
    store = repository.store
    assert not [problem for ref in store.refs() for problem in store.verify(ref)]


def test_killed_at_many_moments(
    undisturbed: tuple[Repository, dict[str, str]], base_cache: Path, tmp_path: Path
) -> None:
    """Whatever a killed build leaves, names in the store are whole and the next run goes on."""
    original, expected = undisturbed
    killed = 0
    for turn in range(KILLS):
        folder = tmp_path / str(turn)
        folder.mkdir()
        repository = _fresh(original, base_cache, folder)
        # The base's own parts are made again in some turns, too.
        if turn % 3 == 0:
            shutil.rmtree(repository.cache / "units")
            shutil.rmtree(repository.cache / "unpacked", ignore_errors=True)
        process = subprocess.Popen(
            repository.argv("build", "--all"),
            env=repository.variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.35 + turn * DELAY)
        process.kill()
        killed += process.wait() != 0
        _sound(repository)
        if turn % 3 == 0:  # not killed twice: making a base anew takes long
            copy_units(base_cache, repository.cache)
        assert repository.build() == expected
        _sound(repository)
        shutil.rmtree(folder)
    assert killed >= KILLS // 2


def copy_units(source: Path, cache: Path) -> None:
    """Give a cache the records it lacks; blobs are checked by name when they are used."""
    for record in (source / "units").glob("*/*.json"):
        target = cache / "units" / record.parent.name / record.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(record, target)


@pytest.mark.parametrize("together", [2, 20])
def test_builds_at_once(
    undisturbed: tuple[Repository, dict[str, str]],
    base_cache: Path,
    tmp_path: Path,
    together: int,
) -> None:
    """One store, one cache, several builds: each ends well, with the same digests."""
    original, expected = undisturbed
    repository = _fresh(original, base_cache, tmp_path)
    processes = [
        subprocess.Popen(
            repository.argv("build", "--all", "--json"),
            env=repository.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(together)
    ]
    for process in processes:
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        found = json.loads(out)["environments"]
        assert {f"{i['name']} {i['platform']}": i["digest"] for i in found} == expected
    _sound(repository)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _remove(path: Path) -> None:
    path.unlink()


def _damage(paths: Iterable[Path]) -> None:
    """Damage files in all ways in turn."""
    for number, path in enumerate(paths):
        (_flip, _cut, _empty, _remove)[number % 4](path)


def test_every_blob_of_the_cache_damaged(
    built: Repository, undisturbed: tuple[Repository, dict[str, str]]
) -> None:
    """Damaged or missing blobs never reach a store: they are made again, with the same digests."""
    shutil.rmtree(built.store.root)
    shutil.rmtree(built.cache / "unpacked")
    blobs = (built.cache / "blobs" / "sha256").iterdir()
    _damage(path for path in sorted(blobs) if path.stat().st_size < 8 << 20)
    ran = built.run("build", "--all", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert {f"{i['name']} {i['platform']}": i["digest"] for i in ran.results} == undisturbed[1]
    _sound(built)


def test_damaged_records_count_for_nothing(
    built: Repository, undisturbed: tuple[Repository, dict[str, str]]
) -> None:
    """Records of units and of joined layers, whatever bytes they hold now."""
    shutil.rmtree(built.store.root)
    for folder in ("units", "joins"):
        records = sorted((built.cache / folder).rglob("*.json"))
        _damage(path for path in records if path.stat().st_size < _SMALL)
    assert built.build() == undisturbed[1]
    _sound(built)


def test_a_record_that_lies_is_not_believed(
    built: Repository, undisturbed: tuple[Repository, dict[str, str]]
) -> None:
    """A record is checked as a whole: another DiffID in sound JSON is noticed."""
    shutil.rmtree(built.store.root)
    for path in [*built.cache.glob("units/*/*.json"), *built.cache.glob("joins/*.json")]:
        text = path.read_text()
        start = text.index('"diff_id":') + text[text.index('"diff_id":') :].index("sha256:") + 7
        if len(text) < _SMALL:
            path.write_text(text[:start] + "0" * 64 + text[start + 64 :])
    assert built.build() == undisturbed[1]


def test_a_damaged_wheel_is_fetched_again(
    built: Repository, undisturbed: tuple[Repository, dict[str, str]]
) -> None:
    """It is told, and the image is what it should be."""
    shutil.rmtree(built.store.root)
    shutil.rmtree(built.cache / "units")
    copy_units(undisturbed[0].cache, built.cache)
    for path in built.cache.glob("units/*/*.json"):
        if '"name":"part-' in path.read_text():
            path.unlink()
    wheels = sorted(built.cache.glob("files/*/*/*.whl"))
    assert wheels
    _damage(wheels)
    ran = built.run("build", "--all", "--json")
    assert ran.code == 0, ran.err
    assert "was damaged" in ran.err
    assert {f"{i['name']} {i['platform']}": i["digest"] for i in ran.results} == undisturbed[1]


@pytest.mark.parametrize(
    ("kind", "damage"),
    [("layer", _cut), ("layer", _remove), ("config", _flip), ("manifest", _flip)],
)
def test_a_store_that_lost_a_blob_is_mended(
    built: Repository,
    undisturbed: tuple[Repository, dict[str, str]],
    kind: str,
    damage: Callable[[Path], None],
) -> None:
    """A blob cut short or gone is noticed without unpacking, and made again."""
    _, expected = undisturbed
    digest = expected["one linux/amd64"]
    manifest = built.manifest(digest)
    blob = {
        "layer": manifest.layers[-1].digest,
        "config": manifest.config.digest,
        "manifest": digest,
    }[kind]
    damage(built.store.blob_path(blob))
    ran = built.run("build", "--all", "--json")
    assert (ran.code, ran.calm) == (0, True), ran.out + ran.err
    assert {item["name"]: item["verdict"] for item in ran.results}["one"] == "built"
    assert built.build() == expected
    _sound(built)


@pytest.mark.sandbox
def test_a_damaged_layer_in_the_store_is_found_when_unpacked(
    built: Repository, undisturbed: tuple[Repository, dict[str, str]]
) -> None:
    """The next build makes it again; what runs is never made of damaged bytes."""
    _, expected = undisturbed
    digest = expected["one linux/amd64"]
    _flip(built.store.blob_path(built.manifest(digest).layers[-1].digest))
    with pytest.raises(Exception, match="damaged"):
        built.python(digest, "")
    assert built.build() == expected
    assert built.python(digest, "import part_1; print(part_1.VALUE)") == "1"


def test_an_index_that_cannot_be_read_is_told(built: Repository) -> None:
    """The names of the store cannot be guessed: the error says how to start anew."""
    _cut(built.store.root / "index.json")
    ran = built.run("build", "--all")
    assert (ran.code, ran.calm) == (1, True), ran.err
    assert "index.json cannot be read" in ran.err
    assert "delete the folder" in ran.err
    shutil.rmtree(built.store.root)
    assert built.run("build", "--all").code == 0


def test_a_full_disk_is_told(small: Repository, wheel: Callable[..., Path]) -> None:
    """No traceback, the path and what to do; half-written files are not trusted later."""
    big = wheel("big", files={"big.bin": noise("big", 3 << 20), "big.py": "A = 1"})
    small.environment("env", packages(big))
    limited = ["bash", "-c", 'ulimit -f 1024; exec "$@"', "-"]  # 1 MiB a file

    def starved() -> None:
        done = subprocess.run(
            [*limited, *small.argv("build", "--all")],
            env=small.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert "too large" in done.stdout + done.stderr
        assert "EGGCRATE_CACHE" in done.stdout + done.stderr

    starved()  # when the wheel is fetched
    small.build()
    _sound(small)
    shutil.rmtree(small.store.root)
    for record in small.cache.glob("units/*/*.json"):
        if '"name":"big"' in record.read_text():
            record.unlink()
    starved()  # when its layer is made
    small.build()
    _sound(small)


@pytest.mark.parametrize("variable", ["EGGCRATE_CACHE", "EGGCRATE_STORE"])
def test_a_folder_that_cannot_be_written_is_told(
    small: Repository, wheel: Callable[..., Path], variable: str
) -> None:
    """Its path and the setting's name, no traceback."""
    small.environment("env", packages(wheel("one")))
    blocked = small.root / "a-file"
    blocked.write_text("")
    ran = small.run("build", "--all", extra={variable: str(blocked / "below")})
    assert (ran.code, ran.calm) == (1, True), ran.err
    assert str(blocked) in ran.out + ran.err
    assert variable in ran.out + ran.err
