"""The index on loopback, and an environment with one package more."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import httpx2

from bench.inputs import ADDED, Variant, index_files, uv_project, with_package
from bench.servers import file_server
from eggcrate.files import sha256_file
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import PipConfig
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path


def test_the_index_serves_wheels_with_hash_and_metadata(tmp_path: Path) -> None:
    """Our own reader of indexes finds the wheel, its hash, and PEP 658 metadata."""
    wheel = make_wheel(tmp_path, "Some.Thing", "1.2", requires_python=">=3.8")
    with file_server(index_files([wheel])) as url:
        config = PipConfig(index_url=f"{url}/simple")
        with Indexes(config) as indexes:
            (link,) = indexes.links(indexes.sources[0], "some-thing") or ()
        assert link.hash_option == {"sha256": [sha256_file(wheel)]}
        assert link.requires_python == ">=3.8"
        assert httpx2.get(link.url_without_fragment).content == wheel.read_bytes()
        metadata = httpx2.get(f"{link.url_without_fragment}.metadata").text
        assert "Version: 1.2" in metadata
        assert httpx2.get(f"{url}/simple/other/").status_code == 404


def test_a_package_more_is_in_project_and_lock(tmp_path: Path) -> None:
    """The project asks for it and the lock has it with its hash; the rest is as before."""
    wheel = make_wheel(tmp_path, "extra", "2.0")
    project = '[project]\nname = "env"\ndependencies = [\n    "numpy",  # arrays\n]\n'
    lock = '[[package]]\nname = "numpy"\nversion = "2"\n\n[metadata]\nlock-version = "2.1"\n'
    project, lock = with_package(project, lock, wheel)
    assert tomllib.loads(project)["project"]["dependencies"] == ["numpy", "extra==2.0"]
    parsed = tomllib.loads(lock)
    assert [package["name"] for package in parsed["package"]] == ["numpy", "extra"]
    files = [{"file": wheel.name, "hash": f"sha256:{sha256_file(wheel)}"}]
    assert parsed["package"][1]["files"] == files
    assert parsed["metadata"] == {"lock-version": "2.1"}


def test_uv_gets_the_same_pins(tmp_path: Path) -> None:
    """Exactly what the lock chose, and the packages that were added so far."""
    variant = Variant(name="env", folders=(tmp_path,), pins=("numpy==2.0",), wheels=1, unpacked=1)
    document = tomllib.loads(uv_project(variant, 2, "http://127.0.0.1:1/simple"))
    assert document["project"]["dependencies"] == ["numpy==2.0", *ADDED[:2]]
    assert document["tool"]["uv"]["index"][0]["default"] is True
