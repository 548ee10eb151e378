"""``eggcrate plan``: the registry decides; what is published only explains."""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.registry import oci
from eggcrate.registry.remote import Remote
from support.planning import FINE, NEW, commit, git, package, verdicts
from support.published import HASTY, check_whole, fill_store
from support.registry_proxy import Answer, Fault, RegistryProxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository

    Plan = Callable[..., dict[str, dict[str, Any]]]
    Run = Callable[..., tuple[int, str, str]]


def test_new_then_up_to_date(plan: Plan, publish: Callable[[], None], run: Run) -> None:
    """What is not published is to be built; once it is, nothing is, and a second push is none."""
    assert verdicts(plan()) == {"one": NEW, "two": NEW}
    publish()
    told = plan()
    assert verdicts(told) == {"one": FINE, "two": FINE}
    assert told["one"]["image"].startswith("sha256:")
    code, out, _ = run("build", "--changed", "--push", "--json")
    assert (code, json.loads(out)["environments"]) == (0, [])


def test_a_changed_package_is_named(
    plan: Plan, publish: Callable[[], None], repository: Repository, run: Run
) -> None:
    """With both versions, in the document, the table and the sentences; the other is left alone."""
    publish()
    repository.environment("one", (package("pandas", "2.3"), package("polars")))
    told = plan()
    assert verdicts(told) == {"one": ("build", ("lock-changed",)), "two": FINE}
    assert told["one"]["changes"] == [
        {"package": "pandas", "from": "2.2", "to": "2.3"},
        {"package": "polars", "from": "", "to": "1.0"},
        {"package": "six", "from": "1.0", "to": ""},
    ]
    assert "pandas 2.2 -> 2.3, +polars 1.0, -six 1.0" in run("plan")[1]
    sentences = run("plan", "--explain", "one")[1]
    assert "pandas went from 2.2 to 2.3" in sentences
    assert "two" not in sentences


def test_a_moved_base_is_named(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """Another pin in its lock moves every environment on it, and no other."""
    folder = repository.environment("other", (), settings='base = "python-3.13"', python=">=3.13")
    assert folder.is_dir()
    publish()
    path = repository.root / "bases" / "python-3.11" / "base.lock"
    before = path.read_text()
    line = next(line for line in before.splitlines() if 'name = "tzdata"' in line)
    start = line.index('sha256 = "') + len('sha256 = "')
    path.write_text(before.replace(line, line[:start] + "0" * 64 + line[start + 64 :]))
    moved = ("build", ("base-moved",))
    assert verdicts(plan()) == {"one": moved, "two": moved, "other": FINE}
    path.write_text(before)
    assert verdicts(plan()) == {"one": FINE, "two": FINE, "other": FINE}


def test_what_an_image_says_is_part_of_it(
    plan: Plan, run: Run, publish: Callable[[], None], repository: Repository
) -> None:
    """Another owner is another image: its packages and base are the same, and it is told."""
    publish()
    settings = 'base = "python-3.11"\nowner = "ml-platform"'
    repository.environment("two", (package("six"),), settings=settings)
    found = plan()
    assert verdicts(found) == {"one": FINE, "two": ("build", ("recipe-changed",))}
    assert found["two"]["settings"] == [{"setting": "owner", "from": "", "to": "ml-platform"}]
    assert "- owner was nothing and is 'ml-platform'." in run("plan", "--explain", "two")[1]


def test_a_revert_needs_no_build(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """The image of the lock that came back is published still."""
    publish()
    repository.environment("two", (package("six", "2.0"),))
    publish()
    repository.environment("two", (package("six"),))
    assert verdicts(plan()) == {"one": FINE, "two": FINE}


@pytest.mark.tools
@pytest.mark.parametrize("catalogue", [True, False])
def test_a_deleted_environment_is_retired(
    *,
    plan: Plan,
    publish: Callable[[], None],
    repository: Repository,
    run: Run,
    proxy: RegistryProxy,
    prefix: str,
    tmp_path: Path,
    catalogue: bool,
) -> None:
    """Listed by the registry or, where it keeps no catalogue, by git; its images stay."""
    publish()
    shutil.rmtree(repository.root / "environments" / "two")
    commit(repository.root, "delete two")
    if not catalogue:
        proxy.faults.append(Fault(path="_catalog", times=99, answer=Answer(status=404)))
    told = plan()
    assert (verdicts(told), told["retired"]) == ({"one": FINE}, ["two"])
    assert "retired (images kept, no folder any more): two" in run("plan")[1]
    assert "Its published images are kept" in run("plan", "--explain", "two")[1]
    assert run("build", "--changed", "--push")[0] == 0
    proxy.faults.clear()
    assert {item.partition(":")[0] for item in check_whole(prefix, tmp_path)} == {"one", "two"}


def test_a_retired_environment_is_known_without_history(
    plan: Plan, publish: Callable[[], None], repository: Repository, run: Run, tmp_path: Path
) -> None:
    """A shallow clone's git never heard of it; the registry did. It cannot be built."""
    publish()
    shutil.rmtree(repository.root / "environments" / "two")
    commit(repository.root, "delete two")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository.root}", str(shallow))
    assert plan(root=shallow)["retired"] == ["two"]
    assert "no folder any more" in run("plan", "--explain", "two", root=shallow)[1]
    code, out, err = run("build", "two", root=shallow)
    assert (code, out) == (2, "")
    assert "there is no environment 'two'" in err


def test_a_renamed_environment_is_a_new_one_and_a_retired_one(
    plan: Plan, publish: Callable[[], None], repository: Repository
) -> None:
    """Images of the old name stay for the pipelines that use them."""
    publish()
    git(repository.root, "mv", "environments/two", "environments/three")
    commit(repository.root, "rename")
    told = plan()
    assert (verdicts(told), told["retired"]) == ({"one": FINE, "three": NEW}, ["two"])


def test_a_folder_that_never_was_an_image_is_no_trouble(
    plan: Plan, publish: Callable[[], None], repository: Repository, proxy: RegistryProxy
) -> None:
    """Deleted templates and names that no image can have, with and without a catalogue."""
    for name in ("_template", "Upper", "a..b"):
        folder = repository.root / "environments" / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text("")
    commit(repository.root)
    for name in ("_template", "Upper", "a..b"):
        shutil.rmtree(repository.root / "environments" / name)
    commit(repository.root)
    publish()
    proxy.faults.append(Fault(path="_catalog", times=99, answer=Answer(status=404)))
    assert plan()["retired"] == []


def test_images_of_others_under_the_prefix_are_no_trouble(
    plan: Plan, publish: Callable[[], None], repository: Repository, prefix: str
) -> None:
    """A manifest that says nothing, even as ``stable`` of ours, neither explains nor stops."""
    publish()
    with Remote(prefix, retries=HASTY) as remote:
        blob = repository.store.root / "config"
        blob.write_bytes(b"{}")
        config = oci.describe(b"{}", oci.CONFIG)
        content = oci.Manifest(config=config, layers=()).encode()
        for name in ("one", "tools/somebody"):
            remote.push_blob(name, blob, config)
            remote.push_manifest(name, "stable", content, oci.MANIFEST)
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    told = plan()
    assert verdicts(told) == {"one": ("build", ("lock-changed",)), "two": FINE}
    assert told["retired"] == []


def test_a_blocked_environment_stops_no_other(
    plan: Plan, publish: Callable[[], None], repository: Repository, run: Run
) -> None:
    """Its reason has a word; exit code 1."""
    publish()
    repository.environment("stale", (package("six"),), wanted=["six", "missing"])
    told = plan(code=1)
    assert verdicts(told) == {"one": FINE, "two": FINE, "stale": ("blocked", ("lock-stale",))}
    assert "missing" in told["stale"]["error"]
    code, out, _ = run("plan", "--explain", "stale")
    assert code == 1
    assert "stale cannot be built as it is." in out


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html>hello</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - its name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Say nothing."""


def test_a_server_that_is_no_registry_is_told(run: Run) -> None:
    """A web page where the registry should be: an error, and no plan at all."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        code, out, err = run("plan", "--registry", f"{address}/x")
        server.shutdown()
    assert (code, out) == (1, "")
    assert f"{address} does not answer as an image registry does" in err


@pytest.mark.parametrize("text", ["not a registry", "registry.invalid/Upper", "http://x.invalid/y"])
def test_a_registry_that_cannot_be_one_is_told(run: Run, text: str) -> None:
    """Before anything is asked, with how to write it."""
    code, out, err = run("plan", "--registry", text)
    assert (code, out) == (1, "")
    assert text in err
    assert "next:" in err


@pytest.mark.parametrize("verb", [("plan",), ("build", "--changed", "--push")])
def test_an_unreachable_registry_is_not_an_empty_one(
    run: Run, repository: Repository, verb: tuple[str, ...]
) -> None:
    """No answer is an error, never "everything is to be built"."""
    fill_store(repository)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    code, out, err = run(*verb, "--registry", f"{address}/x")
    assert (code, out) == (1, "")
    assert address in err
    assert "next:" in err


@pytest.mark.parametrize("status", [500, 503, 429, 401, 403])
def test_a_registry_in_trouble_is_not_an_empty_one(
    run: Run, publish: Callable[[], None], proxy: RegistryProxy, status: int
) -> None:
    """Errors of the server, and a log-in that is missing."""
    publish()
    proxy.faults.append(Fault(path="/manifests/", times=99, answer=Answer(status=status)))
    code, out, err = run("plan")
    assert (code, out) == (1, "")
    assert str(status) in err


def test_without_a_registry_the_store_decides(plan: Plan, repository: Repository) -> None:
    """An image that lost a blob, or all of its manifest, is to be built again."""
    assert verdicts(plan("--registry", "")) == {"one": NEW, "two": NEW}
    digests = fill_store(repository)
    assert verdicts(plan("--registry", "")) == {"one": FINE, "two": FINE}
    store = repository.store
    store.blob_path(repository.manifest(digests["one linux/amd64"]).layers[0].digest).unlink()
    store.blob_path(digests["two linux/amd64"]).write_bytes(b"damaged")
    told = plan("--registry", "")
    assert told["one"]["verdict"] == told["two"]["verdict"] == "build"
