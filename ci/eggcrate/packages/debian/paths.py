"""Where a package's files go in an image, and which of them do not."""

from __future__ import annotations

import fnmatch
import posixpath
import re

from eggcrate.errors import IntegrityError

ALIASES = ("bin", "lib", "lib64", "sbin")
"""Top-level names that are links into ``usr`` (merged /usr, as Debian itself is)."""

_DROPPED = (
    "usr/share/bash-completion/*",
    "usr/share/base-files/*",
    "usr/share/binfmts/*",
    "usr/share/bug/*",
    "usr/share/debconf/*",
    "usr/share/doc-base/*",
    "usr/share/gcc/python/*",
    "usr/share/gdb/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "usr/share/menu/*",
    "usr/share/applications/*",
    "usr/share/pixmaps/*",
    "usr/share/zoneinfo/posix/*",
    "usr/share/zoneinfo/right/*",
    "usr/lib/systemd/*",
    "usr/lib/sysusers.d/*",
    "usr/lib/tmpfiles.d/*",
    "etc/ca-certificates/*",
    "etc/cron.*/*",
    "etc/default/*",
    "etc/dpkg/*",
    "etc/init.d/*",
    "etc/logrotate.d/*",
    "etc/update-motd.d/*",
    "usr/sbin/update-ca-certificates",
    "usr/lib/python3.*/EXTERNALLY-MANAGED",
    "usr/lib/python3.*/ensurepip/*",
    "usr/lib/python3.*/idlelib/*",
    "usr/lib/python3.*/test/*",
    "usr/lib/python3.*/tkinter/*",
    "usr/lib/python3.*/turtledemo/*",
    "usr/lib/python3.*/lib2to3/tests/*",
    "usr/lib/python3.*/distutils/tests/*",
    "*/__pycache__/*",
)
_DROPPED_RE = re.compile("|".join(fnmatch.translate(pattern) for pattern in _DROPPED))


def is_kept(path: str) -> bool:
    """Whether a file or link is of use in an image. Licences always stay."""
    if path.startswith("usr/share/doc/"):
        # A package may have its documentation folder, with the licence, be a link to another's.
        return path.endswith("/copyright") or path.count("/") == len(("usr", "share", "doc"))
    return not _DROPPED_RE.match(path)


def merged(path: str) -> str:
    """A path with merged /usr: ``lib/x`` is ``usr/lib/x``."""
    first, slash, rest = path.partition("/")
    return f"usr/{first}{slash}{rest}" if first in ALIASES else path


def relative_link(path: str, target: str) -> str:
    """The target of a symbolic link at ``path`` (as packed), from where the link ends up.

    Absolute ones become relative, which means the same in the image, and nothing else when it
    is looked at from outside.

    Raises:
        IntegrityError: it leads out of the root.
    """
    start = "" if target.startswith("/") else posixpath.dirname(path)
    aim = posixpath.normpath(posixpath.join(start, target.lstrip("/")))
    if not target or aim.split("/")[0] == "..":
        raise IntegrityError(
            f"the link {path} in a Debian package leads out of the root", why=f"to {target!r}"
        )
    folder = posixpath.dirname(merged(path))
    return posixpath.relpath("/" + merged(aim), "/" + folder)
