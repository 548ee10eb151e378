"""A small Debian archive, signed and served on loopback, and the packages in it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.server
import io
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.packages.debian.deb import parse_deb
from eggcrate.packages.debian.fetch import fetch_debs
from eggcrate.packages.debian.lock import lock_bases
from eggcrate.packages.debian.lockfile import write_base_lock
from eggcrate.packages.debian.mirror import Mirrors
from eggcrate.progress import Silent
from eggcrate.repo.values import Base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.packages.debian.values import BaseLock, FetchedDebs


def tar_member(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    mode: int = 0o644,
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(content)
    return info, content


def tar_xz(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:xz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def ar_member(name: str, content: bytes, *, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{length:<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def make_deb(
    members: list[tuple[tarfile.TarInfo, bytes]],
    *,
    control: str = "Package: sample\nVersion: 1\nArchitecture: all\n",
    md5sums: str = "",
    data_name: str = "data.tar.xz",
) -> bytes:
    about = [tar_member("./control", control.encode())]
    if md5sums:
        about.append(tar_member("./md5sums", md5sums.encode()))
    return (
        b"!<arch>\n"
        + ar_member("debian-binary", b"2.0\n")
        + ar_member("control.tar.xz", tar_xz(about))
        + ar_member(data_name, tar_xz(members))
    )


def _with_control(deb: bytes, control: str) -> bytes:
    """The same package with another description."""
    start = 8
    made = deb[:start]
    while start < len(deb):
        name, size = deb[start : start + 16].decode().strip(), int(deb[start + 48 : start + 58])
        content = deb[start + 60 : start + 60 + size]
        if name.startswith("control.tar"):
            name, content = "control.tar.xz", tar_xz([tar_member("./control", control.encode())])
        made += ar_member(name, content)
        start += 60 + size + size % 2
    return made


class Signer:
    """A throw-away OpenPGP key."""

    def __init__(self) -> None:
        # Sockets of the agent have short names, so not under pytest's own folder.
        self.home = Path(tempfile.mkdtemp(prefix="egg-"))
        self._gpg("--quick-generate-key", "Test <test@example.invalid>", "ed25519", "sign", "never")
        self.keys = self._gpg("--export")

    def clearsign(self, text: str) -> bytes:
        """A clear-signed file of this text."""
        return self._gpg("--clearsign", stdin=text.encode())

    def close(self) -> None:
        """End the key's agent and remove it."""
        env = {**os.environ, "GNUPGHOME": str(self.home)}
        subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def _gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--batch", "--quiet", "--homedir", str(self.home)]
        done = subprocess.run(
            [*command, "--passphrase", "", *arguments], input=stdin, capture_output=True, check=True
        )
        return done.stdout


@dataclass
class FakeArchive:
    """An archive whose suites are written out, signed, by :meth:`publish`."""

    root: Path
    signer: Signer
    mirrors: Mirrors
    requests: list[tuple[str, str]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    """Status codes that the next requests are answered with."""
    codename: str = "bookworm"

    def add(self, name: str, version: str, **fields: str) -> None:
        """Offer a package; the keywords are fields of its control paragraph."""
        architecture = fields.pop("Architecture", "amd64")
        about = {"Package": name, "Version": version, "Architecture": architecture}
        about |= {key.replace("_", "-"): value for key, value in fields.items()}
        control = "".join(f"{key}: {value}\n" for key, value in about.items())
        self._offer(
            name,
            version,
            architecture,
            control,
            make_deb([tar_member(f"./opt/{name}", version.encode())], control=control),
        )

    def offer(self, file: Path, *, version: str = "") -> None:
        """Offer a real package; with a version, its files under that one."""
        content = file.read_bytes()
        control = parse_deb(content, name=file.name).control
        fields = dict(re.findall(r"^(\S+): (.*)$", control, re.MULTILINE))
        if version:
            control = re.sub(r"(?m)^Version: .*$", f"Version: {version}", control)
            content = _with_control(content, control)
        name, architecture = fields["Package"], fields["Architecture"]
        self._offer(name, version or fields["Version"], architecture, control, content)

    def _offer(self, name: str, version: str, architecture: str, control: str, deb: bytes) -> None:
        path = f"pool/main/{name[0]}/{name}/{name}_{version}_{architecture}.deb"
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(deb)
        digest = hashlib.sha256(deb).hexdigest()
        block = f"{control}Filename: {path}\nSize: {len(deb)}\nSHA256: {digest}\n"
        (self.root / "paragraphs").mkdir(exist_ok=True)
        (self.root / "paragraphs" / name).write_text(block)

    def remove(self, name: str) -> None:
        """Offer it no more, as Debian does with an older version."""
        (self.root / "paragraphs" / name).unlink()
        shutil.rmtree(self.root / "pool" / "main" / name[0] / name)

    def publish(self, *, date: datetime | None = None, extra: str = "") -> None:
        """Write and sign the indexes of all suites."""
        blocks = [path.read_text() for path in sorted((self.root / "paragraphs").iterdir())]
        self._suite(self.codename, "\n".join(blocks), date, extra)
        for suffix in ("-updates", "-security"):
            self._suite(self.codename + suffix, "", date, extra)

    def index_files(self) -> list[Path]:
        """The package indexes of the main suite."""
        return sorted((self.root / "dists" / self.codename).rglob("by-hash/SHA256/*"))

    def _suite(self, suite: str, packages: str, date: datetime | None, extra: str) -> None:
        folder = self.root / "dists" / suite
        content = lzma.compress(packages.encode())
        digest = hashlib.sha256(content).hexdigest()
        rows = ""
        for architecture in ("amd64", "arm64"):
            by_hash = folder / f"main/binary-{architecture}/by-hash/SHA256" / digest
            by_hash.parent.mkdir(parents=True, exist_ok=True)
            by_hash.write_bytes(content)
            rows += f" {digest} {len(content)} main/binary-{architecture}/Packages.xz\n"
        moment = format_datetime(date or datetime.now(UTC), usegmt=True).replace("GMT", "UTC")
        text = (
            f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: {moment}\n{extra}"
            f"Acquire-By-Hash: yes\nSHA256:\n{rows}"
        )
        (folder / "InRelease").write_bytes(self.signer.clearsign(text))


@contextlib.contextmanager
def serve(root: Path, signer: Signer) -> Iterator[FakeArchive]:
    archive = FakeArchive(root, signer, Mirrors(archive=(), security=()))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            archive.requests.append((self.path, wanted))
            file = root / self.path.lstrip("/")
            if archive.faults:
                self.send_error(archive.faults.pop(0))
                return
            if not file.is_file():
                self.send_error(404)
                return
            content = file.read_bytes()
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
            self.end_headers()
            self.wfile.write(content[start:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    archive.mirrors = Mirrors(archive=(address,), security=(address,))
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PLATFORM = "linux/amd64"


def fill(archive: FakeArchive) -> None:
    """A Python, its libraries and a shell."""
    archive.add("python3.11-minimal", "3.11.2-6+deb12u6", Depends="libc6 (>= 2.36), zlib1g")
    archive.add("libc6", "2.36-9+deb12u13")
    archive.add("zlib1g", "1:1.2.13-1")
    archive.add("dash", "0.5.12-2", Depends="libc6, libedit2")
    archive.add("libedit2", "3.1-1")
    archive.publish()


def make_bases(folder: Path) -> dict[str, Base]:
    """A base of Debian packages and one that extends it."""
    plain = Base(
        name="plain",
        path=folder / "plain",
        description="",
        python="3.11",
        platforms=(PLATFORM,),
        suite="bookworm",
        packages=("python3.11-minimal",),
    )
    debug = dataclasses.replace(
        plain, name="debug", path=folder / "debug", suite="", extends="plain", packages=("dash",)
    )
    return {"debug": debug, "plain": plain}


def lock_all(archive: FakeArchive, folder: Path, *, upgrade: bool = True) -> dict[str, BaseLock]:
    """Lock both bases, and write the locks."""
    bases = make_bases(folder)
    locks = lock_bases(
        bases,
        bases=bases,
        cache=folder / "cache",
        progress=Silent(),
        upgrade=upgrade,
        mirrors=archive.mirrors,
        keys=archive.signer.keys,
    )
    for name, lock in locks.items():
        write_base_lock(bases[name].lock_path, lock)
    return locks


def fetch(
    archive: FakeArchive,
    folder: Path,
    lock: BaseLock,
    *,
    locked: bool = False,
    progress: Silent | None = None,
) -> FetchedDebs:
    """Fetch what a lock pins."""
    return fetch_debs(
        lock.packages[PLATFORM],
        lock=lock,
        cache=folder / "cache",
        locked=locked,
        progress=progress or Silent(),
        mirrors=archive.mirrors,
        keys=archive.signer.keys,
    )
