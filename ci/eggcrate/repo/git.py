"""The one module that speaks to git. It explains; it never decides.

A shallow clone, a force push, an unrelated history: whatever git cannot tell is ``None`` here,
and the answer to what must be built does not depend on it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.process import ProcessError, run

if TYPE_CHECKING:
    from pathlib import Path

_KEEP = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE")
# Names that an image can have: templates and the like were never published.
_ENVIRONMENT = re.compile(rb"environments/([a-z0-9]+(?:[._-][a-z0-9]+)*)/pyproject\.toml")
_SETTINGS = ("-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "-c", "log.showSignature=no")


@dataclass(frozen=True, kw_only=True)
class Git:
    """The repository around a checkout, if there is one."""

    root: Path

    def _ask(self, *arguments: str) -> bytes | None:
        """Standard output of a git command; ``None`` when it fails or git is not there."""
        env = {name: os.environ[name] for name in _KEEP if name in os.environ}
        env |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            done = run(["git", *_SETTINGS, *arguments], cwd=self.root, env=env, check=False)
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
