"""Files of a base that maintainer scripts or an installer would have made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eggcrate.packages.entries import Entry, EntryKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NONROOT = 65532
"""User and group that images run as when they do not run as root."""
HOME = "home/nonroot"
"""That user's; its group is 0, which users without a name have (as OpenShift gives them)."""

_PASSWD = f"""\
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:{NONROOT}:{NONROOT}:nonroot:/{HOME}:/sbin/nologin
"""
_GROUP = f"""\
root:x:0:
nobody:x:65534:
nonroot:x:{NONROOT}:
"""
_NSSWITCH = """\
passwd: files
group: files
hosts: files dns
networks: files
protocols: files
services: files
"""
_HOSTS = """\
127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
"""
_TEXTS = {
    "etc/group": _GROUP,
    "etc/hosts": _HOSTS,
    "etc/nsswitch.conf": _NSSWITCH,
    "etc/passwd": _PASSWD,
    "etc/timezone": "Etc/UTC\n",
}
_FOLDERS = {
    "dev": 0o755,
    "etc": 0o755,
    HOME: 0o775,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "usr/bin": 0o755,
    "usr/lib": 0o755,
    "usr/sbin": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/tmp": 0o1777,
}
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = re.compile(r"usr/share/ca-certificates/mozilla/[^/]+\.crt")
_PYTHON = re.compile(r"usr/bin/(python3\.[0-9]+)")
_ALTERNATIVES = {
    "usr/bin/awk": ("mawk", "gawk"),
    "usr/bin/pager": ("less",),
    "usr/bin/sh": ("dash", "bash"),
    "usr/bin/which": ("which.debianutils",),
}


def foundation(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """What a base needs beside its packages' files, which are given by path."""
    for path, mode in _FOLDERS.items():
        owner = NONROOT if path == HOME else 0
        yield Entry(path=path, kind=EntryKind.DIRECTORY, mode=mode, owner=owner)
    for path, text in _TEXTS.items():
        yield Entry(path=path, content=text.encode())
    for alias in ("bin", "lib", "sbin"):
        yield _link(alias, f"usr/{alias}")
    if any(path.startswith("usr/lib64/") for path in files):
        yield _link("lib64", "usr/lib64")
    if "usr/share/zoneinfo/Etc/UTC" in files:
        yield _link("etc/localtime", "../usr/share/zoneinfo/Etc/UTC")
    yield from _certificates(files)
    yield from _python_links(files)


def alternatives(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """Links that ``update-alternatives`` and diversions would have made."""
    for path, names in _ALTERNATIVES.items():
        name = next((name for name in names if f"usr/bin/{name}" in files), None)
        if name and path not in files:
            yield _link(path, name)


def _certificates(files: Mapping[str, Entry]) -> Iterator[Entry]:
    """The bundle that ``update-ca-certificates`` makes, and links where OpenSSL looks."""
    found = sorted(path for path in files if _CERTIFICATES.fullmatch(path))
    if found:
        bundle = b"".join(files[path].content.rstrip(b"\n") + b"\n" for path in found)
        yield Entry(path=_BUNDLE, content=bundle)
        yield _link("usr/lib/ssl/cert.pem", f"../../../{_BUNDLE}")
        if "usr/lib/ssl/certs" not in files:
            yield _link("usr/lib/ssl/certs", "../../../etc/ssl/certs")


def _python_links(files: Mapping[str, Entry]) -> Iterator[Entry]:
    names = sorted(match[1] for path in files if (match := _PYTHON.fullmatch(path)))
    if names and "usr/bin/python3" not in files:
        yield _link("usr/bin/python3", names[-1])
    if names and "usr/bin/python" not in files:
        yield _link("usr/bin/python", "python3")


def _link(path: str, target: str) -> Entry:
    return Entry(path=path, kind=EntryKind.SYMLINK, mode=0o777, link=target)
