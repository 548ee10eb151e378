"""Machines share what they proved through the registry, and need it for nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.shared import ANNOTATION, CONFIG_TYPE
from eggcrate.registry import oci
from eggcrate.registry.remote import Remote
from support.published import HASTY, fill_store
from support.registry_proxy import Answer, Fault, RegistryProxy
from support.repository import Repository
from support.rig import BAD, Rig, cross
from support.services import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

BOTH = ("one", "two")
EVERY = cross("abc", BOTH)


@pytest.fixture
def rig(repository: Repository, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """A matrix that was never proven, on a machine with a registry."""
    return Rig.make(repository, run, monkeypatch, tmp_path / "harness")


def elsewhere(rig: Rig, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Rig:
    """The same commit on a machine with an empty disk."""
    ignore = shutil.ignore_patterns(".eggcrate", "build")
    shutil.copytree(rig.repository.root, folder / "repo", ignore=ignore)
    monkeypatch.setenv("EGGCRATE_CACHE", str(folder / "cache"))
    there = Repository(root=folder / "repo", cache=folder / "cache")

    def run(*arguments: str) -> tuple[int, str, str]:
        return rig.run(*arguments, root=there.root)

    return Rig(repository=there, run=run, runtime=rig.runtime)


def test_what_one_machine_proved_no_other_runs(
    rig: Rig,
    publish: Callable[[], None],
    proxy: RegistryProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Nothing is run there, no image is built, and not a layer is fetched."""
    publish()
    assert rig.ran() == EVERY
    there = elsewhere(rig, monkeypatch, tmp_path / "there")
    proxy.forget()
    assert there.ran() == set()
    assert proxy.count("GET", "/blobs/") == 0
    assert not (there.repository.root / ".eggcrate" / "store" / "blobs").exists()
    proxy.forget()
    assert there.ran() == set()
    assert proxy.count("HEAD", "proof-") == 0  # it is remembered here by now


def test_a_cell_that_must_run_fetches_its_image_alone(
    rig: Rig,
    publish: Callable[[], None],
    proxy: RegistryProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It is the published image that is run, not one that is made anew."""
    publish()
    rig.runtime.endings["c", "two"] = BAD
    assert rig.ran(code=1) == EVERY
    there = elsewhere(rig, monkeypatch, tmp_path / "there")
    rig.runtime.prepared.clear()
    proxy.forget()
    assert there.ran(code=1) == {("c", "two")}
    (digest,) = rig.runtime.prepared
    assert digest == rig.repository.store.refs()["two"].digest
    assert there.repository.store.has_blob(digest)
    assert proxy.count("GET", "/one/blobs/") == 0
    assert "pulled two from the registry" in there.err


def test_a_proof_is_an_artifact_that_says_what_it_is(rig: Rig, prefix: str) -> None:
    """One manifest under the image, told apart by the type of its configuration."""
    assert rig.ran() == EVERY
    with Remote(prefix, retries=HASTY) as remote:
        assert set(remote.names() or ()) == {"one", "two"}
        tags = remote.tags("two")
        assert len(tags) == 3
        content, _ = remote.get_manifest("two", tags[0])
    manifest = oci.parse(content)
    assert isinstance(manifest, oci.Manifest)
    assert manifest.config.media_type == CONFIG_TYPE
    assert '"schema":"eggcrate.proof/1"' in manifest.annotations[ANNOTATION]


def test_a_proof_that_was_tampered_with_proves_nothing(
    rig: Rig, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another key's record under a tag is not believed."""
    assert rig.ran("--environment", "two") == cross("abc", ("two",))
    with Remote(prefix, retries=HASTY) as remote:
        first, second, third = remote.tags("two")
        content, _ = remote.get_manifest("two", first)
        remote.put_manifest("two", second, content, oci.MANIFEST)
        broken = content.replace(b'\\"seconds\\":1.5', b'\\"seconds\\":0.1')
        assert broken != content
        remote.put_manifest("two", third, broken, oci.MANIFEST)
    shutil.rmtree(rig.repository.cache / "proofs")
    assert len(rig.ran("--environment", "two")) == 2


@pytest.fixture
def keeping(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RegistryProxy]:
    """A registry that deletes nothing, as registries are by default."""
    with (
        RegistryServer(tmp_path / "keeping", delete=False) as server,
        RegistryProxy(server.address) as proxy,
    ):
        monkeypatch.setenv("EGGCRATE_REGISTRY", f"{proxy.address}/kept")
        yield proxy


@pytest.mark.parametrize("option", [("--prove", "9"), ("--rerun",)])
def test_a_disagreement_is_forgotten_everywhere(
    rig: Rig,
    option: tuple[str, ...],
    keeping: RegistryProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """No other machine believes it any more, whether or not the registry deletes anything."""
    assert rig.ran() == EVERY
    rig.runtime.endings["b", "two"] = BAD
    rig.cells(*option, code=1)
    assert "warning:" not in rig.err.replace("warning: b in two: it was remembered", "")
    assert keeping.count("DELETE", "") == 0
    assert rig.ran(code=1) == {("b", "two")}
    mine = rig.repository.cache
    there = elsewhere(rig, monkeypatch, tmp_path / "there")
    fill_store(there.repository)
    assert there.ran(code=1) == {("b", "two")}
    rig.runtime.endings.clear()
    assert there.ran() == {("b", "two")}  # a new pass takes its place
    monkeypatch.setenv("EGGCRATE_CACHE", str(mine))
    assert rig.ran() == {("b", "two")}  # which is not believed where it failed
    assert rig.ran() == set()


def test_what_could_not_be_taken_back_is_not_believed_where_it_failed(
    rig: Rig, proxy: RegistryProxy
) -> None:
    """The registry says that it passed, and this machine knows better."""
    assert rig.ran() == EVERY
    rig.runtime.endings["b", "two"] = BAD
    answer = Answer(status=403, body=b'{"errors":[{"code":"DENIED"}]}')
    proxy.faults.append(Fault(method="PUT", times=99, answer=answer))
    rig.cells("--prove", "9", code=1)
    assert "a pass cannot be taken back from the registry" in rig.err
    assert rig.ran(code=1) == {("b", "two")}


def test_a_tag_that_stays_what_it_is_stops_no_sharing(
    rig: Rig, proxy: RegistryProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One pass is there in other words and cannot be replaced: the others are shared."""
    said = b'{"errors":[{"code":"TAG_IMMUTABLE","message":"immutable"}]}'
    immutable = Answer(status=400, body=said)
    proxy.faults.append(
        Fault(method="PUT", path="/two/manifests/proof-", times=1, answer=immutable)
    )
    assert rig.ran() == EVERY
    assert "warning:" not in rig.err
    there = elsewhere(rig, monkeypatch, tmp_path / "there")
    fill_store(there.repository)
    assert len(there.ran()) == 1


def test_where_tags_stay_what_they_are_a_pass_is_deleted(
    rig: Rig, prefix: str, proxy: RegistryProxy
) -> None:
    """It cannot be replaced there; where it cannot be deleted either, that is told."""
    assert rig.ran("--environment", "two") == cross("abc", ("two",))
    said = b'{"errors":[{"code":"TAG_IMMUTABLE","message":"immutable"}]}'
    immutable = Answer(status=400, body=said)
    proxy.faults.append(Fault(method="PUT", path="/manifests/proof-", times=99, answer=immutable))
    rig.runtime.endings["b", "two"] = BAD
    rig.cells("--environment", "two", "--prove", "9", code=1)
    with Remote(prefix, retries=HASTY) as remote:
        assert len(remote.tags("two")) == 2
    proxy.faults.append(Fault(method="DELETE", times=9, answer=Answer(status=405, body=b"")))
    rig.runtime.endings["a", "two"] = BAD
    rig.cells("--environment", "two", "--prove", "9", code=1)
    assert "stays in the registry" in rig.err
    assert "goes on without the registry" not in rig.err


def test_one_record_that_cannot_be_read_is_no_record(
    rig: Rig, proxy: RegistryProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was deleted meanwhile, or is refused: its cell is run, the others are not."""
    assert rig.ran() == EVERY
    there = elsewhere(rig, monkeypatch, tmp_path / "there")
    fill_store(there.repository)
    gone = Answer(status=404, body=b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
    proxy.faults.append(Fault(method="GET", path="/two/manifests/proof-", times=1, answer=gone))
    assert len(there.ran()) == 1
    assert "warning:" not in there.err


@pytest.mark.parametrize("status", [401, 403, 405])
def test_a_registry_that_takes_nothing_is_a_warning(
    rig: Rig, proxy: RegistryProxy, status: int
) -> None:
    """Whoever may only read goes on, told so once; the result is the same."""
    refused = Answer(status=status, body=b'{"errors":[{"code":"DENIED"}]}')
    proxy.faults.append(Fault(method="POST|PUT|PATCH", times=999, answer=refused))
    assert rig.ran() == EVERY
    assert rig.err.count("warning:") == 1
    assert "passes cannot be written to the registry" in rig.err
    assert rig.ran() == set()


def test_a_registry_that_is_away_is_a_warning(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, whatever it was wanted for, and everything is proven here."""
    monkeypatch.setenv("EGGCRATE_REGISTRY", "127.0.0.1:9/nowhere")
    assert rig.ran() == EVERY
    assert rig.err.count("warning:") == 1
    assert "this run goes on without the registry" in rig.err
    assert rig.ran() == set()
    assert "warning:" not in rig.err


def test_a_registry_that_breaks_off_is_a_warning(rig: Rig, proxy: RegistryProxy) -> None:
    """Whatever was written by then is whole; the rest is remembered here."""
    answer = Answer(status=500, body=b"")
    proxy.faults.append(Fault(method="PUT", path="/two/manifests/proof-", times=99, answer=answer))
    assert rig.ran() == EVERY
    assert rig.err.count("warning:") == 1
    assert rig.ran() == set()


def test_no_memory_leaves_the_registry_alone(rig: Rig, proxy: RegistryProxy) -> None:
    """It is neither asked for passes nor told of them."""
    assert rig.ran("--no-memory") == EVERY
    assert proxy.count("HEAD", "proof-") == 0
    assert proxy.count("PUT", "proof-") == 0


def test_plans_do_not_see_proofs(
    rig: Rig, publish: Callable[[], None], plan: Callable[..., dict[str, dict[str, object]]]
) -> None:
    """Their tags stand beside those of images, and are no images."""
    publish()
    assert rig.ran() == EVERY
    assert {item["verdict"] for name, item in plan().items() if name in BOTH} == {"up-to-date"}
