"""The image format as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import StoreError
from eggcrate.registry import oci

digests = st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}")
texts = st.dictionaries(st.text(min_size=1), st.text(), max_size=3)
descriptors = st.builds(
    oci.Descriptor,
    media_type=st.sampled_from([oci.LAYER_GZIP, oci.LAYER_TAR]),
    digest=digests,
    size=st.integers(0, 1 << 50),
    annotations=texts,
    platform=st.sampled_from(["", "linux/amd64", "linux/arm64/v8"]),
)


@given(
    st.builds(
        oci.Manifest, config=descriptors, layers=st.lists(descriptors).map(tuple), annotations=texts
    )
)
def test_manifests_round_trip(manifest: oci.Manifest) -> None:
    """A manifest read back is the same value, and written again the same bytes."""
    read = oci.parse(manifest.encode())
    assert read == manifest
    assert isinstance(read, oci.Manifest)
    assert read.encode() == manifest.encode()


@given(st.builds(oci.Index, manifests=st.lists(descriptors).map(tuple), annotations=texts))
def test_indexes_round_trip(index: oci.Index) -> None:
    """So is an index."""
    assert oci.parse(index.encode()) == index


@given(
    st.builds(
        oci.Config,
        platform=st.sampled_from(["linux/amd64", "linux/arm64/v8"]),
        diff_ids=st.lists(digests).map(tuple),
        env=st.dictionaries(st.from_regex(r"[A-Z_]+", fullmatch=True), st.text()),
        user=st.text(),
        workdir=st.text(),
        entrypoint=st.lists(st.text()).map(tuple),
        cmd=st.lists(st.text()).map(tuple),
        labels=texts,
        history=st.lists(st.text()).map(tuple),
    )
)
def test_configurations_round_trip(config: oci.Config) -> None:
    """So is a configuration."""
    assert oci.parse_config(config.encode()) == config


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"layers": [], "config": {}}', b'{"manifests": [{"digest": "md5:1"}]}'],
)
def test_what_is_no_manifest_is_told(content: bytes) -> None:
    """Anything else is an error of ours, not a traceback."""
    with pytest.raises(StoreError):
        oci.parse(content)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:" + "G" * 64, "sha256:../" + "a" * 61])
def test_a_digest_cannot_be_a_path(digest: str) -> None:
    """Only a well-formed digest becomes a file name."""
    with pytest.raises(StoreError):
        oci.check_digest(digest)


def test_platforms_fit() -> None:
    """A variant may be left unsaid; another architecture does not fit."""
    arm = oci.Descriptor(media_type="", digest="", size=0, platform="linux/arm64/v8")
    assert arm.fits("linux/arm64")
    assert arm.fits("linux/arm64/v8")
    assert not arm.fits("linux/arm")
    assert not arm.fits("linux/amd64")
