"""Members copied from a zip are checked while they are copied."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from dataclasses import replace

import pytest

from eggcrate.build import gzip_members
from eggcrate.build.gzip_members import Payload
from eggcrate.errors import IntegrityError

CONTENT = hashlib.shake_128(b"noise").digest(50_000) + bytes(50_000)


def _deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(content) + compressor.flush()


def _payload(raw: bytes, content: bytes = CONTENT, *, deflated: bool = True) -> Payload:
    return Payload(
        source=io.BytesIO(b"before" + raw + b"after"),
        offset=6,
        compressed_size=len(raw),
        size=len(content),
        crc32=zlib.crc32(content),
        deflated=deflated,
        name="a file",
    )


def _copy(payload: Payload) -> tuple[bytes, bytes]:
    compressed, inflated = io.BytesIO(), io.BytesIO()
    gzip_members.copy(payload, compressed=compressed.write, inflated=inflated.write)  # type: ignore[arg-type]
    return compressed.getvalue(), inflated.getvalue()


@pytest.fixture(params=["in memory", "streaming"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "streaming":
        monkeypatch.setattr(gzip_members, "_IN_MEMORY", 0)
        monkeypatch.setattr(gzip_members, "_CHUNK", 1000)


@pytest.mark.usefixtures("_way")
class TestCopy:
    """The same holds for files in memory and for those too large for it."""

    def test_a_sound_stream(self) -> None:
        """It becomes a member with the very bytes of the zip."""
        raw = _deflated(CONTENT)
        compressed, inflated = _copy(_payload(raw))
        assert raw in compressed
        assert inflated == gzip.decompress(compressed) == CONTENT

    @pytest.mark.parametrize("change", [{"crc32": 1}, {"size": 99_999}, {"size": 100_001}])
    def test_a_wrong_size_or_crc(self, change: dict[str, int]) -> None:
        """A zip that lies about a file is refused."""
        with pytest.raises(IntegrityError):
            _copy(replace(_payload(_deflated(CONTENT)), **change))

    def test_a_bomb(self) -> None:
        """A stream that inflates to more than it should is stopped."""
        raw = _deflated(bytes(50_000_000))
        with pytest.raises(IntegrityError):
            _copy(_payload(raw, bytes(1000)))

    def test_a_stream_cut_short(self) -> None:
        """A stream without its end is refused."""
        with pytest.raises(IntegrityError):
            _copy(_payload(_deflated(CONTENT)[:-10]))

    def test_bytes_after_the_stream(self) -> None:
        """What follows the end of a stream would ruin the layer, even a forged trailer."""
        forged = struct.pack("<II", zlib.crc32(CONTENT), len(CONTENT))
        for extra in (b"\0", forged, forged + b"more"):
            with pytest.raises(IntegrityError):
                _copy(_payload(_deflated(CONTENT) + extra))

    def test_an_archive_cut_short(self) -> None:
        """A file that ends before the payload does is refused."""
        payload = _payload(_deflated(CONTENT))
        with pytest.raises(IntegrityError):
            _copy(replace(payload, offset=payload.offset + 100))


def test_stored_content_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content that is not compressed is read in pieces, and its CRC checked at the end."""
    monkeypatch.setattr(gzip_members, "_CHUNK", 1000)
    payload = _payload(CONTENT, deflated=False)
    assert b"".join(gzip_members.chunks(payload)) == gzip_members.read(payload) == CONTENT
    with pytest.raises(IntegrityError):
        list(gzip_members.chunks(replace(payload, crc32=1)))
    with pytest.raises(IntegrityError):
        gzip_members.read(replace(payload, crc32=1))


def test_members_of_ours() -> None:
    """A member inflates to its content; the compressor's exact version is pinned."""
    assert gzip.decompress(gzip_members.member(CONTENT)) == CONTENT
    assert gzip_members.CODEC == "libdeflate/0.9.0"
