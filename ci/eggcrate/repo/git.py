"""The one module that speaks to git. It explains; it never decides.

A shallow clone, a force push, an unrelated history: whatever git cannot tell is ``None`` here,
and the answer to what must be built does not depend on it.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEEP = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE")
# Names that an image can have: templates and the like were never published.
_ENVIRONMENT = re.compile(rb"environments/([a-z0-9]+(?:[._-][a-z0-9]+)*)/pyproject\.toml")
_SETTINGS = ("-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "-c", "log.showSignature=no")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit, and what it made of some files."""

    id: str
    date: str
    """Day of the commit, such as ``2026-11-26``."""
    author: str
    subject: str
    files: Mapping[str, str] = field(repr=False)
    """Path from the checkout to blob id, of files it added or changed; empty for deleted ones."""

    @property
    def short(self) -> str:
        """Enough of its id for people."""
        return self.id[:10]


@dataclass(frozen=True, kw_only=True)
class Git:
    """The repository around a checkout, if there is one."""

    root: Path

    def _ask(self, *arguments: str, stdin: str = "") -> bytes | None:
        """Standard output of a git command; ``None`` when it fails or git is not there."""
        env = {name: os.environ[name] for name in _KEEP if name in os.environ}
        env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = run(
                ["git", *_SETTINGS, *arguments],
                cwd=self.root,
                env=env,
                stdin=stdin.encode(),
                check=False,
            )
        except ProcessError:
            return None
        return done.stdout if done.returncode == 0 else None

    def resolve(self, revision: str) -> str | None:
        """The commit that a revision names."""
        if revision.startswith("-"):
            return None
        told = self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return told.decode().strip() if told else None

    def merge_base(self, revision: str) -> str | None:
        """The commit that HEAD and a revision come from, as far as this clone knows."""
        told = self._ask("merge-base", "HEAD", revision)
        return told.decode().strip() if told else None

    def read(self, commit: str, path: str) -> str | None:
        """A file at a commit; ``path`` is relative to the checkout."""
        prefix = self._ask("rev-parse", "--show-prefix")
        if prefix is None:
            return None
        content = self._ask("cat-file", "blob", f"{commit}:{prefix.decode().strip()}{path}")
        return content.decode("utf-8", "replace") if content is not None else None

    def unmerged(self) -> dict[str, frozenset[int]] | None:
        """Files that a merge left in conflict, with the stages that there are of each.

        Stage 1 is the common ancestor's, 2 ours, 3 theirs; paths are relative to the checkout.
        """
        told = self._ask("ls-files", "--unmerged", "-z")
        if told is None:
            return None
        found: dict[str, frozenset[int]] = {}
        for entry in filter(None, told.split(b"\0")):
            facts, _, path = entry.decode().partition("\t")
            found[path] = found.get(path, frozenset()) | {int(facts.split()[-1])}
        return found

    def stage(self, path: str, number: int) -> str | None:
        """A file in conflict as one side has it; see :meth:`unmerged`."""
        content = self._ask("cat-file", "blob", f":{number}:./{path}")
        return content.decode("utf-8", "replace") if content is not None else None

    def prefix(self) -> str | None:
        """The checkout's folder as seen from git's own root, ``""`` when they are the same."""
        told = self._ask("rev-parse", "--show-prefix")
        return told.decode().rstrip("\n") if told is not None else None

    def setting(self, name: str) -> str:
        """A setting of this clone; empty when there is none."""
        told = self._ask("config", "--local", "--get", name)
        return told.decode().rstrip("\n") if told is not None else ""

    def set_setting(self, name: str, value: str) -> bool:
        """Write a setting of this clone; whether git did."""
        return self._ask("config", "--local", name, value) is not None

    def remove_settings(self, section: str) -> bool:
        """Remove a section of this clone's settings; whether git did."""
        return self._ask("config", "--local", "--remove-section", section) is not None

    def changed(self, commit: str) -> frozenset[str] | None:
        """Files that differ between a commit and the working tree, untracked ones included."""
        against = self._ask("diff", "--name-only", "--no-renames", "--relative", "-z", commit)
        new = self._ask("ls-files", "--others", "--exclude-standard", "-z")
        if against is None or new is None:
            return None
        return frozenset(part.decode() for part in (against + new).split(b"\0") if part)

    def shallow(self) -> bool:
        """Whether this clone lacks a part of its history, as far as git tells."""
        return self._ask("rev-parse", "--is-shallow-repository") != b"false\n"

    def deleted_environments(self, *, since: str | None = None) -> frozenset[str] | None:
        """Names of folders below ``environments/`` that commits of this history deleted.

        Args:
            since: a commit; what is reachable from it is passed over.
        """
        told = self._ask(
            *("log", "--diff-filter=D", "--no-renames", "--name-only", "--format=", "-z"),
            *("--relative", f"{since}..HEAD" if since else "HEAD"),
            *("--", "environments/*/pyproject.toml"),
        )
        if told is None:
            return None
        paths = re.split(rb"[\0\n]", told)
        return frozenset(
            match[1].decode() for path in paths if (match := _ENVIRONMENT.fullmatch(path))
        )

    def files(self, commit: str, *folders: str) -> dict[str, str] | None:
        """Blob ids of all files below some folders at a commit, by path from the checkout."""
        told = self._ask("ls-tree", "-r", "-z", commit, "--", *folders)
        if told is None:
            return None
        found = {}
        for line in told.split(b"\0"):
            head, _, path = line.partition(b"\t")
            if head.split()[1:2] == [b"blob"]:
                found[path.decode()] = head.split()[2].decode()
        return found

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The content of blobs, read by one process; those that are not here are left out."""
        wanted = sorted(set(ids))
        told = self._ask("cat-file", "--batch", stdin="".join(f"{one}\n" for one in wanted))
        found: dict[str, bytes] = {}
        place = 0
        while told and place < len(told):
            end = told.index(b"\n", place)
            name, kind, *size = told[place:end].decode().split(" ")
            place = end + 1
            if kind == "blob":
                found[name] = told[place : place + int(size[0])]
                place += int(size[0]) + 1
        return found

    def top(self) -> Path | None:
        """The folder that git's own root is."""
        told = self._ask("rev-parse", "--show-toplevel")
        return Path(told.decode().rstrip("\n")) if told is not None else None

    def branch(self) -> str:
        """The branch that is checked out; empty when none is."""
        told = self._ask("symbolic-ref", "--quiet", "--short", "HEAD")
        return told.decode().strip() if told else ""

    def clone_shallow(self, target: Path) -> bool:
        """Clone HEAD, one commit deep and on no branch, as CI systems do; whether git did."""
        source = f"file://{self.root}"
        made = self._ask("clone", "--quiet", "--depth=1", "--no-tags", source, str(target))
        clone = Git(root=target)
        return made is not None and clone._ask("checkout", "--quiet", "--detach") is not None

    def clone_bare(self, target: Path) -> bool:
        """Clone all of it as the server has it: what ``origin`` told last wins; whether git did."""
        if self._ask("clone", "--quiet", "--mirror", f"file://{self.root}", str(target)) is None:
            return False
        bare = Git(root=target)
        told = bare._ask("for-each-ref", "--format=%(refname)", "refs/remotes/origin/")
        for name in (told or b"").decode().split():
            short = name.removeprefix("refs/remotes/origin/")
            if short != "HEAD":
                bare._ask("update-ref", f"refs/heads/{short}", name)
        return True

    def set_origin(self, url: str) -> bool:
        """Tell this clone where it comes from; whether git did."""
        return self._ask("remote", "set-url", "origin", url) is not None

    def default_branch(self) -> str | None:
        """The branch that changes go to: the remote's, else a local ``main`` or ``master``."""
        told = self._ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        named = told.decode().strip() if told else ""
        candidates = (named, "origin/main", "main", "origin/master", "master")
        return next((name for name in candidates if name and self.resolve(name)), None)

    def history(self, *paths: str) -> tuple[Commit, ...] | None:
        """The commits of this branch that changed these paths, the newest first.

        What was merged counts as the merge commit: since then the branch has it.
        """
        told = self._ask(
            *("log", "--first-parent", "-m", "--raw", "--no-abbrev", "--no-renames", "-z"),
            *("--relative", "--format=%x01%H%x02%cs%x02%an%x02%s%x02", "HEAD", "--", *paths),
        )
        if told is None:
            return None
        return tuple(_commit(part) for part in told.decode("utf-8", "replace").split("\1")[1:])


def _commit(text: str) -> Commit:
    """One entry of ``git log --raw -z``."""
    told, _, raw = text.rpartition("\2")
    identity, date, author, subject = told.split("\2", 3)
    fields = [part.strip("\n") for part in raw.split("\0")]
    files = {}
    for head, path in itertools.pairwise(fields):
        if head.startswith(":"):
            blob = head.split()[3]
            files[path] = blob if blob.strip("0") else ""
    return Commit(id=identity, date=date, author=author, subject=subject, files=files)
