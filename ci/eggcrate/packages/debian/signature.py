"""Debian's signatures on its release files, checked against keys pinned in this package."""

from __future__ import annotations

import base64
import binascii
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import BaseError, IntegrityError
from eggcrate.process import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BEGIN = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = "-----END PGP PUBLIC KEY BLOCK-----"


def archive_keys() -> bytes:
    """Debian's archive keys, as pinned in ``keys/``: one binary OpenPGP keyring."""
    folder = resources.files("eggcrate.packages.debian") / "keys"
    files = sorted((item for item in folder.iterdir() if item.name.endswith(".asc")), key=str)
    return b"".join(dearmor(item.read_text(encoding="ascii")) for item in files)


def dearmor(text: str) -> bytes:
    """The bytes in one or more blocks of ASCII armour (RFC 9580, section 6).

    Raises:
        ValueError: there is no block, or one is damaged.
    """
    blocks = text.split(_BEGIN)[1:]
    if not blocks:
        raise ValueError("no OpenPGP key")
    keys = b""
    for block in blocks:
        body, end, _ = block.partition(_END)
        lines = body.partition("\n\n")[2].split()
        try:
            keys += base64.b64decode("".join(_without_checksum(lines)), validate=True)
        except binascii.Error as error:
            raise ValueError("a damaged OpenPGP key") from error
        if not end:
            raise ValueError("a truncated OpenPGP key")
    return keys


def _without_checksum(lines: list[str]) -> list[str]:
    return lines[:-1] if lines and lines[-1].startswith("=") else lines


def signed_text(inrelease: bytes, *, keys: bytes, source: str) -> str:
    """The text that is signed in a clear-signed file, and nothing that stands around it.

    Args:
        inrelease: the whole file.
        keys: a binary OpenPGP keyring; a good signature by any of its keys is enough.
        source: what the file is, for messages.

    Raises:
        IntegrityError: no trusted key has signed it, or it was changed afterwards.
        BaseError: this machine has no program that checks OpenPGP signatures.
    """
    with tempfile.TemporaryDirectory(prefix="eggcrate-") as name:
        folder = Path(name)
        (folder / "keys.gpg").write_bytes(keys)
        (folder / "InRelease").write_bytes(inrelease)
        problem = _verifier()(folder)
        text = folder / "text"
        if problem or not text.is_file():
            raise IntegrityError(
                f"{source} is not signed by Debian",
                why=problem or "it holds no signed text",
                hint="use another mirror; for a release newer than this version of Eggcrate, "
                "its keys must be added first",
            )
        return text.read_text(encoding="utf-8")


def _verifier() -> Callable[[Path], str]:
    if shutil.which("gpgv"):
        return _gpgv
    if shutil.which("sqv"):
        return _sqv
    raise BaseError(
        "the Debian index cannot be trusted on this machine",
        why="neither gpgv nor sqv, which check its signature, is installed",
        hint="install gpgv (Debian, Ubuntu: apt-get install gpgv; elsewhere: GnuPG)",
    )


def _gpgv(folder: Path) -> str:
    """Check with GnuPG; the answer is the problem, or nothing.

    The exit code is no guide: it is not 0 when one of several signatures is by a key we do
    not have, which is how Debian changes keys.
    """
    done = run(
        [
            *("gpgv", "--homedir", str(folder), "--status-fd", "1"),
            *("--keyring", str(folder / "keys.gpg"), "--output", str(folder / "text")),
            str(folder / "InRelease"),
        ],
        check=False,
    )
    lines = [line.split() for line in done.text.splitlines() if line.startswith("[GNUPG:] ")]
    words = [line[1] for line in lines if len(line) > 1]
    if "BADSIG" in words:
        return "a signature does not match the text"
    if _follows(words, "GOODSIG", "VALIDSIG"):
        return ""
    if "EXPKEYSIG" in words or "REVKEYSIG" in words:
        return "the key that signed it has expired or was revoked"
    if "NO_PUBKEY" in words:
        return "it is signed by other keys than those pinned here"
    return done.stderr.decode("utf-8", "replace").strip()[-500:] or "it holds no signature"


def _follows(words: Sequence[str], first: str, second: str) -> bool:
    if first not in words:
        return False
    return second in words[words.index(first) :]


def _sqv(folder: Path) -> str:
    """Check with Sequoia, which Debian 13 has in place of GnuPG."""
    done = run(
        [
            *("sqv", "--keyring", str(folder / "keys.gpg"), "--cleartext"),
            *("--output", str(folder / "text"), str(folder / "InRelease")),
        ],
        check=False,
    )
    if done.returncode == 0:
        return ""
    return done.stderr.decode("utf-8", "replace").strip()[-500:] or "it holds no good signature"
