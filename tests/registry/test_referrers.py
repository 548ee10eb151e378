"""What is attached to an image: with the registry's own list of it, and with what stands in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import EggcrateError, ImmutableTagError, StoreError
from eggcrate.registry import cosign, oci
from eggcrate.registry.referrers import (
    Artifact,
    attach,
    fallback_tag,
    push_content,
    read_artifact,
    referrers,
)
from support.registry_proxy import Answer, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote
    from support.registry_proxy import RegistryProxy

BILL = Artifact(type="application/x-bill+json", content=b'{"bill":1}')
NOTE = Artifact(type="application/x-note", content=b"note", annotations={"by": "us"})


@pytest.fixture
def subject(remote: Remote) -> Descriptor:
    """A published image."""
    config = push_content(remote, "one", b"{}", oci.CONFIG)
    content = oci.Manifest(config=config, layers=()).encode()
    return remote.put_manifest("one", "v1", content, oci.MANIFEST)


def test_what_is_attached_is_read_back(remote: Remote, subject: Descriptor, tmp_path: Path) -> None:
    """By type, with annotations and content; a second time changes nothing."""
    attach(remote, "one", subject, [BILL, NOTE])
    tags = remote.tags("one")
    attach(remote, "one", subject, [BILL])
    found = referrers(remote, "one", subject.digest)
    assert [item.type for item in found] == [BILL.type, NOTE.type]
    assert found[1].manifest.annotations == {"by": "us"}
    contents = [read_artifact(remote, "one", item, tmp_path) for item in found]
    assert contents == [BILL.content, NOTE.content]
    assert remote.tags("one") == tags == (fallback_tag(subject.digest), "v1")
    manifest = json.loads(remote.get_manifest("one", found[0].manifest.digest)[0])
    assert manifest["subject"] == {
        "mediaType": oci.MANIFEST,
        "digest": subject.digest,
        "size": subject.size,
    }
    assert manifest["artifactType"] == BILL.type


def test_what_others_attached_stays(remote: Remote, subject: Descriptor) -> None:
    """Their entries are kept as they are, fields that we do not know included."""
    attach(remote, "one", subject, [BILL])
    tag = fallback_tag(subject.digest)
    index = json.loads(remote.get_manifest("one", tag)[0])
    index["manifests"][0]["org.example.field"] = [1, 2]
    remote.put_manifest("one", tag, json.dumps(index).encode(), oci.INDEX)
    attach(remote, "one", subject, [NOTE])
    after = json.loads(remote.get_manifest("one", tag)[0])["manifests"]
    assert len(after) == 2
    assert [item["org.example.field"] for item in after if "org.example.field" in item] == [[1, 2]]


def test_one_that_writes_at_the_same_time_loses_nothing(
    remote: Remote, subject: Descriptor, proxy: RegistryProxy
) -> None:
    """The index is read once more after it was written, and written anew where need be."""
    attach(remote, "one", subject, [BILL])
    tag = fallback_tag(subject.digest)
    theirs, described = remote.get_manifest("one", tag)

    # The first look after our write finds what the other process put in its place.
    gate = {"written": False}

    def race(method: str, path: str, _: object) -> Answer | None:
        if method == "PUT" and path.endswith(tag):
            gate["written"] = not gate.get("done")
        elif method == "HEAD" and path.endswith(tag) and gate["written"]:
            gate.update(written=False, done=True)
            remote.put_manifest("one", tag, theirs, oci.INDEX)
        return None

    proxy.gates.append(race)
    attach(remote, "one", subject, [NOTE])
    assert gate.get("done")
    assert described.digest != remote.get_manifest("one", tag)[1].digest
    found = referrers(remote, "one", subject.digest)
    assert [item.type for item in found] == [BILL.type, NOTE.type]


def test_a_registry_that_keeps_the_list_itself_gets_no_tag(
    remote: Remote, subject: Descriptor, proxy: RegistryProxy
) -> None:
    """Its answer is the truth."""
    listed = {
        "schemaVersion": 2,
        "mediaType": oci.INDEX,
        "manifests": [{**oci.describe(b"x", oci.MANIFEST).to_json(), "artifactType": BILL.type}],
    }
    answer = Answer(status=200, body=json.dumps(listed).encode())
    proxy.faults.append(Fault(method="GET", path="/referrers/", times=9, answer=answer))
    attach(remote, "one", subject, [BILL])
    assert remote.tags("one") == ("v1",)
    assert [item.type for item in referrers(remote, "one", subject.digest)] == [BILL.type]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"manifests": {}}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"digest": "x"}]}',
        b'{"manifests": [{"digest": "sha256:..", "size": 1, "artifactType": []}]}',
        b'{"schemaVersion": 2, "config": {}, "layers": []}',
    ],
)
def test_a_list_that_is_none_is_an_error(
    body: bytes, remote: Remote, subject: Descriptor, proxy: RegistryProxy
) -> None:
    """Of ours, not one of Python's."""
    answer = Answer(status=200, body=body)
    proxy.faults.append(Fault(method="GET", path="/referrers/", times=9, answer=answer))
    with pytest.raises(StoreError):
        referrers(remote, "one", subject.digest)


def test_where_tags_are_immutable_the_second_time_is_told(
    remote: Remote, subject: Descriptor, proxy: RegistryProxy
) -> None:
    """All at once works; adding to it later is a clear error."""
    attach(remote, "one", subject, [BILL])
    body = b'{"errors":[{"code":"DENIED","message":"tag is immutable"}]}'
    answer = Answer(status=409, body=body)
    tag = fallback_tag(subject.digest)
    proxy.faults.append(Fault(method="PUT", path=f"{tag}$", times=9, answer=answer))
    attach(remote, "one", subject, [BILL])
    with pytest.raises(ImmutableTagError):
        attach(remote, "one", subject, [NOTE])


def test_signatures_of_several_keys_stand_beside_each_other(
    remote: Remote, subject: Descriptor, tmp_path: Path
) -> None:
    """Under one tag, each with its payload; none where there is no tag."""
    assert cosign.read_signatures(remote, "one", subject.digest, tmp_path) == ()
    made = []
    for number in range(2):
        payload = cosign.payload_of(subject.digest, f"name-{number}")
        made.append(cosign.Signed(payload=payload, signature=bytes([number])))
        cosign.put_signature(remote, "one", made[-1], subject.digest)
    assert cosign.read_signatures(remote, "one", subject.digest, tmp_path) == tuple(made)
    manifest = json.loads(remote.get_manifest("one", cosign.signature_tag(subject.digest))[0])
    assert {layer["mediaType"] for layer in manifest["layers"]} == {cosign.PAYLOAD}


def test_an_artifact_of_several_files_is_refused(
    remote: Remote, subject: Descriptor, tmp_path: Path
) -> None:
    """It is not one of ours."""
    layers = tuple(push_content(remote, "one", bytes([n]), "x/y") for n in range(2))
    config = push_content(remote, "one", b"{}", oci.CONFIG)
    content = oci.Manifest(config=config, layers=layers).encode()
    described = remote.put_manifest("one", "two-files", content, oci.MANIFEST)
    listed = {"manifests": [{**described.to_json(), "artifactType": "x/y"}]}
    index = json.dumps({"schemaVersion": 2, "mediaType": oci.INDEX, **listed}).encode()
    remote.put_manifest("one", fallback_tag(subject.digest), index, oci.INDEX)
    [found] = referrers(remote, "one", subject.digest)
    with pytest.raises(EggcrateError, match="not one file"):
        read_artifact(remote, "one", found, tmp_path)
