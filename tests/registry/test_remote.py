"""Images to and from a real registry: what goes over the wire, and what is there after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import docker
import pytest

from eggcrate.errors import IntegrityError, NotARegistryError, RegistryError
from eggcrate.registry import oci
from eggcrate.registry.push import Holders
from eggcrate.registry.remote import Remote
from eggcrate.registry.upload import Outcome, Uploads
from registry.conftest import HASTY
from support.images import file, put_image
from support.registry_proxy import Answer, Fault
from support.services import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from support.images import Made
    from support.registry_proxy import RegistryProxy

pytestmark = pytest.mark.tools


def image(layout: Layout, ref: str = "x", size: int = 300_000) -> Made:
    """An image of a big layer of its own and a small one that all share."""
    return put_image(layout, ref, [[file("big", os.urandom(size))], [file("same", b"2" * 5000)]])


def test_a_first_push_and_a_second(
    remote: Remote, proxy: RegistryProxy, layout: Layout, check_whole: Callable[[], tuple[str, ...]]
) -> None:
    """The first push uploads each blob once; the second uploads and writes nothing."""
    made = image(layout)
    first = remote.push_image(layout, made.digest, "one", ["key-1", "stable"])
    sizes = sum(blob.size for blob in made.layers)
    config = oci.parse(made.manifest)
    assert isinstance(config, oci.Manifest)
    assert first.new_bytes == sizes + config.config.size == proxy.up["upload"]
    assert (first.uploaded, first.mounted, first.existed) == (3, 0, 0)
    proxy.forget()
    second = remote.push_image(layout, made.digest, "one", ["key-1", "stable"])
    assert (second.new_bytes, second.uploaded, second.existed) == (0, 0, 3)
    assert not proxy.up
    assert {method for method, _, _ in proxy.requests} == {"HEAD"}
    assert check_whole() == ("one:key-1", "one:stable")


def test_a_blob_that_the_registry_lost_is_pushed_again(
    remote: Remote, proxy: RegistryProxy, layout: Layout, check_whole: Callable[[], tuple[str, ...]]
) -> None:
    """What the image is said to have is not asked for; the registry's refusal mends it."""
    made = image(layout)
    told = Holders({blob.digest: ["one"] for blob in made.layers})
    report = remote.push_image(layout, made.digest, "one", ["key-1"], told)
    assert report.uploaded == 3
    assert check_whole() == ("one:key-1",)
    proxy.forget()
    layers = [[file("same", b"2" * 5000)], [file("new", b"3" * 9000)]]
    other = put_image(layout, "y", [*layers], env={"A": "b"})
    remote.push_image(layout, other.digest, "one", ["key-2"], told)
    assert not proxy.count("HEAD", made.layers[1].digest)  # who has it was known
    assert check_whole() == ("one:key-1", "one:key-2")


def test_a_mount_uploads_nothing(
    remote: Remote, proxy: RegistryProxy, layout: Layout, check_whole: Callable[[], tuple[str, ...]]
) -> None:
    """Blobs of another image are mounted; one that no image has falls back to an upload."""
    made = image(layout)
    remote.push_image(layout, made.digest, "one", ["key-1"])
    layers = [[file("same", b"2" * 5000)], [file("new", b"3" * 9000)]]
    other = put_image(layout, "y", [*layers], env={"A": "b"})
    proxy.forget()
    told = {blob.digest: ["none", "one"] for blob in (*made.layers, *other.layers)}
    report = remote.push_image(layout, other.digest, "two", ["key-1"], Holders(told))
    assert (report.mounted, report.uploaded) == (1, 2)
    assert other.layers[0].digest == made.layers[1].digest
    assert proxy.up["upload"] == report.new_bytes < 1000
    assert check_whole() == ("one:key-1", "two:key-1")


def test_what_is_there_is_told(remote: Remote, layout: Layout, prefix: str) -> None:
    """Tags, digests, manifests, blobs and names are what was pushed, and nothing is nothing."""
    made = image(layout)
    remote.push_image(layout, made.digest, "one", ["key-1"])
    found = remote.resolve("one", "key-1")
    assert found
    assert (found.digest, found.size) == (made.digest, len(made.manifest))
    assert found.media_type == oci.MANIFEST
    assert remote.get_manifest("one", "key-1") == (made.manifest, found)
    assert remote.get_manifest("one", made.digest)[0] == made.manifest
    assert remote.resolve("one", "key-2") is None
    assert remote.resolve("none", "key-1") is None
    asked = [("one", "key-1"), ("none", "key-1"), ("one", "key-1")]
    assert remote.resolve_many(asked) == {asked[0]: found, asked[1]: None}
    absent = oci.describe(b"absent", oci.CONFIG)
    assert remote.missing_blobs("one", [*made.layers, absent, absent]) == (absent,)
    assert not remote.has_blob("one", made.layers[0].digest, made.layers[0].size + 1)
    assert remote.names() == ("one",)
    assert remote.tags("none") == ()
    assert remote.image("one", "key-1").endswith(f"/{prefix}/one:key-1")
    with pytest.raises(RegistryError, match=f"has no {prefix}/one:key-2"):
        remote.get_manifest("one", "key-2")


def test_tags_are_read_page_by_page(remote: Remote, proxy: RegistryProxy, prefix: str) -> None:
    """More tags than fit on a page all come, by absolute and by relative links."""
    where = f"/v2/{prefix}/one/tags/list"
    pages = [(["b"], f"{where}?n=1&last=b"), (["c"], f"http://{proxy.address}{where}?last=c")]
    for tags, link in [*pages, (["a"], "")]:
        headers = {"Link": f'<{link}>; rel="next"'} if link else {}
        body = json.dumps({"name": "one", "tags": tags}).encode()
        proxy.faults.append(
            Fault(path="/tags/list", answer=Answer(status=200, headers=headers, body=body))
        )
    assert remote.tags("one") == ("a", "b", "c")
    assert [path for _, path, _ in proxy.requests][1:] == [f"{where}?n=1&last=b", f"{where}?last=c"]


def test_a_manifest_never_comes_before_its_blobs(remote: Remote, layout: Layout) -> None:
    """A manifest with a missing blob, and an index with a missing image, are not sent."""
    made = image(layout)
    with pytest.raises(RegistryError, match="cannot be published") as caught:
        remote.push_manifest("one", "stable", made.manifest, oci.MANIFEST)
    assert "2 more are not in the registry" in caught.value.why
    index = layout.put_index("i", tuple(layout.refs().values()), {})
    with pytest.raises(RegistryError, match="cannot be published"):
        remote.push_manifest("one", "stable", layout.read_blob(index.digest), oci.INDEX)
    assert remote.resolve("one", "stable") is None
    remote.push_image(layout, made.digest, "one")
    remote.push_manifest("one", "stable", made.manifest, oci.MANIFEST)
    remote.push_manifest("one", "multi", layout.read_blob(index.digest), oci.INDEX)
    assert remote.tags("one") == ("multi", "stable")


def test_a_multi_platform_image(
    remote: Remote, layout: Layout, check_whole: Callable[[], tuple[str, ...]]
) -> None:
    """An index is pushed after the image of each platform; a layer that both have goes once."""
    for platform in ("linux/amd64", "linux/arm64"):
        put_image(layout, platform[-5:], [[file("x", b"x" * 9000)]], platform=platform)
    index = layout.put_index("i", tuple(layout.refs().values()), {})
    report = remote.push_image(layout, index.digest, "one", ["key-1"])
    assert report.uploaded == 3
    found = remote.resolve("one", "key-1")
    assert found
    assert (found.digest, found.media_type) == (index.digest, oci.INDEX)
    assert check_whole() == ("one:key-1",)


def test_a_tag_moves_and_an_image_is_deleted(
    remote: Remote, layout: Layout, check_whole: Callable[[], tuple[str, ...]]
) -> None:
    """A tag stands for what was pushed last; deleting a digest takes its tags along."""
    old, new = image(layout, "old"), image(layout, "new")
    remote.push_image(layout, old.digest, "one", ["key-1", "stable"])
    remote.push_image(layout, new.digest, "one", ["key-2", "stable"])
    found = remote.resolve("one", "stable")
    assert found
    assert found.digest == new.digest
    assert remote.delete("one", old.digest)
    assert not remote.delete("one", old.digest)
    assert remote.tags("one") == ("key-2", "stable")
    assert check_whole() == ("one:key-2", "one:stable")


@pytest.mark.parametrize("uploads", list(Uploads))
def test_a_blob_goes_up_and_comes_down(
    proxy: RegistryProxy,
    prefix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    uploads: Uploads,
) -> None:
    """In one request or in several, an empty one too: what comes down is what went up."""
    monkeypatch.setattr("eggcrate.registry.upload._CHUNK", 70_000)
    with Remote(f"{proxy.address}/{prefix}", retries=HASTY, uploads=uploads) as remote:
        for size in (0, 1, 200_000):
            content = os.urandom(size)
            blob = oci.describe(content, oci.LAYER_TAR)
            path = tmp_path / "blob"
            path.write_bytes(content)
            pushed = remote.push_blob("one", path, blob)
            assert (pushed.outcome, pushed.bytes) == (Outcome.UPLOADED, size)
            assert remote.push_blob("one", path, blob).outcome is Outcome.EXISTED
            assert remote.fetch_blob("one", blob, tmp_path / "cache").read_bytes() == content
    assert proxy.count("PATCH") == (4 if uploads is Uploads.CHUNKED else 0)


def test_a_damaged_file_is_not_pushed(remote: Remote, tmp_path: Path) -> None:
    """A file that lost bytes, or has others, is told by name; the registry keeps none of it."""
    path = tmp_path / "blob"
    blob = oci.describe(b"right" * 1000, oci.LAYER_TAR)
    for content in (b"right", b"wrong" * 1000):
        path.write_bytes(content)
        with pytest.raises(IntegrityError, match="is not the blob"):
            remote.push_blob("one", path, blob)
    path.unlink()
    with pytest.raises(IntegrityError, match="is not the blob"):
        remote.push_blob("one", path, blob)
    assert not remote.has_blob("one", blob.digest, blob.size)


def test_a_damaged_file_in_the_cache_is_fetched_again(
    remote: Remote, proxy: RegistryProxy, tmp_path: Path
) -> None:
    """A cached blob is trusted only while it has its hash; then nothing is asked."""
    path, content = tmp_path / "blob", b"right" * 1000
    path.write_bytes(content)
    blob = oci.describe(content, oci.LAYER_TAR)
    remote.push_blob("one", path, blob)
    cached = remote.fetch_blob("one", blob, tmp_path / "cache")
    cached.write_bytes(b"wrong" * 1000)
    assert remote.fetch_blob("one", blob, tmp_path / "cache").read_bytes() == content
    proxy.forget()
    remote.fetch_blob("one", blob, tmp_path / "cache")
    assert not proxy.requests


def test_two_pushers_at_once(
    proxy: RegistryProxy,
    prefix: str,
    layout: Layout,
    check_whole: Callable[[], tuple[str, ...]],
) -> None:
    """Two machines that push the same image, and others of the same layers, both succeed."""
    made = image(layout)
    other = put_image(layout, "y", [[file("same", b"2" * 5000)]])
    problems: list[BaseException] = []
    barrier = threading.Barrier(4)

    def push(digest: str, tag: str) -> None:
        try:
            with Remote(f"{proxy.address}/{prefix}", retries=HASTY) as remote:
                barrier.wait(30)
                remote.push_image(layout, digest, "one", [tag, "stable"])
        except BaseException as error:
            problems.append(error)

    jobs = [(made.digest, "key-1")] * 2 + [(other.digest, "key-2")] * 2
    threads = [threading.Thread(target=push, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [str(problem) for problem in problems]
    assert check_whole() == ("one:key-1", "one:key-2", "one:stable")


@pytest.mark.docker
def test_docker_pulls_it(
    docker_daemon: str, registry_server: str, prefix: str, layout: Layout
) -> None:
    """A Docker daemon takes what was pushed, and finds in it what was put in."""
    made = put_image(layout, "x", [[file("hello", b"there")], [file("big", os.urandom(300_000))]])
    with Remote(f"{registry_server}/{prefix}") as remote:
        remote.push_image(layout, made.digest, "one", ["key-1"])
        name = remote.image("one", "key-1")
    client = docker.DockerClient(docker_daemon)
    try:
        pulled = client.images.pull(name)
        assert pulled.attrs["RootFS"]["Layers"] == list(made.diff_ids)
        client.images.remove(name)
    finally:
        client.close()


def test_memory_stays_bounded(registry_server: str, prefix: str, tmp_path: Path) -> None:
    """Half a gigabyte goes up and comes down in less than 150 MB of memory."""
    path = tmp_path / "blob"
    with path.open("wb") as out:
        out.truncate(500_000_000)
    code = """
import sys
from pathlib import Path
from eggcrate.files import sha256_file
from eggcrate.registry.oci import Descriptor
from eggcrate.registry.remote import Remote
path, cache = Path(sys.argv[2]), Path(sys.argv[3])
digest = f"sha256:{sha256_file(path)}"
blob = Descriptor(media_type="", digest=digest, size=path.stat().st_size)
with Remote(sys.argv[1]) as remote:
    assert remote.push_blob("one", path, blob).bytes == blob.size
    remote.fetch_blob("one", blob, cache)
# not getrusage: that remembers what the process was before exec, too
status = Path('/proc/self/status').read_text()
print(status.partition('VmHWM:')[2].split()[0])
"""
    argv = [sys.executable, "-c", code, f"{registry_server}/{prefix}", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*argv, str(tmp_path / "cache")], env=environment, check=True, capture_output=True
    )
    assert int(done.stdout) < 150_000


def test_a_server_that_is_no_registry_is_told(tmp_path: Path) -> None:
    """A web server's 404 is not taken for an image that is not there."""
    argv = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    with subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert server.stdout
            port = server.stdout.readline().decode().split("port ")[1].split()[0]
            with (
                Remote(f"127.0.0.1:{port}/x", retries=HASTY) as remote,
                pytest.raises(NotARegistryError, match="does not answer as an image registry"),
            ):
                remote.resolve("one", "stable")
        finally:
            server.terminate()


def test_a_pushed_image_survives_a_restart(
    tmp_path: Path, layout: Layout, prefix: str, check_whole: Callable[..., tuple[str, ...]]
) -> None:
    """A registry killed and started again between two pushes is used as if nothing happened."""
    made = image(layout)
    with RegistryServer(tmp_path / "r") as server:
        with Remote(f"{server.address}/{prefix}", retries=HASTY) as remote:
            remote.push_image(layout, made.digest, "one", ["key-1"])
            server.stop(kill=True)
            server.start()
            remote.push_image(layout, made.digest, "one", ["key-2"])
            assert remote.tags("one") == ("key-1", "key-2")
        assert check_whole(server.address) == ("one:key-1", "one:key-2")
