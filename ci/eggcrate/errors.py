"""Every expected failure: what happened, why, and what to do next.

An :class:`EggcrateError` is caught once, in :mod:`eggcrate.cli`, and printed without a
traceback. Anything else that escapes is a defect in Eggcrate (exit code 3).
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_DEFECT = 3
EXIT_INTERRUPTED = 130


class EggcrateError(Exception):
    """An expected failure.

    Args:
        what: what happened, one sentence naming the file (and line) or the thing concerned.
        why: the reason, in words of the user's world; empty when ``what`` already says it.
        hint: what to do next; empty when there is nothing to do.
    """

    exit_code = EXIT_FAILURE

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"  why:  {self.why}")
        if self.hint:
            parts.append(f"  next: {self.hint}")
        return "\n".join(parts)

    @property
    def sentence(self) -> str:
        """What happened, and why, in one line of a report."""
        return self.what + (f": {self.why}" if self.why else "")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way back from a worker process."""
        return (_rebuild, (type(self), self.what, self.why, self.hint))


def _rebuild(cls: type[EggcrateError], what: str, why: str, hint: str) -> EggcrateError:
    return cls(what, why=why, hint=hint)


class UsageError(EggcrateError):
    """The command line asks for something that does not exist."""

    exit_code = EXIT_USAGE


class ConfigError(EggcrateError):
    """A ``pyproject.toml``, ``base.toml`` or setting that cannot be understood."""


class SourceError(EggcrateError):
    """Python source of the repository that cannot be read, or that imports what is not there."""


class LockError(EggcrateError):
    """A lock file that cannot be read or used."""


class LockMissingError(LockError):
    """There is no lock where one is needed."""


class LockStaleError(LockError):
    """The lock does not say what its ``pyproject.toml`` asks for."""


class PackageError(EggcrateError):
    """A package that cannot be asked for: misspelt, without such a version, for other Pythons."""


class ConflictError(LockError):
    """Requirements that do not go together."""


class UnsupportedPackageError(EggcrateError):
    """A locked package that the layered builder cannot install on the target."""


class PackageIndexError(EggcrateError):
    """A package index or mirror that does not give what was asked of it."""


class IntegrityError(EggcrateError):
    """Bytes that are not the bytes their hash names."""


class BaseError(EggcrateError):
    """A base that cannot be locked or made."""


class BuildError(EggcrateError):
    """An image that cannot be built."""


class StoreError(EggcrateError):
    """An image store that cannot be read or written."""


class RegistryError(StoreError):
    """A registry that does not do what was asked of it."""


class RegistryUnreachableError(RegistryError):
    """No connection to the registry, or only "try again later", after all attempts."""


class TlsError(RegistryError):
    """A connection that is not safe: an untrusted certificate, or no TLS at all."""


class NotARegistryError(RegistryError):
    """A server that answers, but does not speak the OCI distribution protocol."""


class AccessDeniedError(RegistryError):
    """The log-in is missing, wrong, or may not do this."""


class NoSuchRepositoryError(RegistryError):
    """The registry has no such repository, and makes none by itself."""


class NoRoomError(RegistryError):
    """The registry's disk or quota is full, or the file is too large for it."""


class ImmutableTagError(RegistryError):
    """A tag that cannot be moved to another image."""


class SignatureError(EggcrateError):
    """An image that is not signed as it must be, or a key that does not sign."""


class VulnerabilityDataError(EggcrateError):
    """A database of vulnerabilities that cannot be reached or read: nothing was judged."""


class DiskError(EggcrateError):
    """A folder of ours that is full or cannot be written."""


class ShortageError(EggcrateError):
    """This machine gives no more memory, or no more processes and threads."""


class RuntimeUnavailableError(EggcrateError):
    """No runtime can run an image on this machine."""


class CompileError(EggcrateError):
    """A component or pipeline that cannot be made into what KFP runs."""


class SubmitError(EggcrateError):
    """A run, schedule or file that a platform does not take, or does not have."""


class CloudBuildError(EggcrateError):
    """Cloud Build does not do what was asked of it."""


class TaskOutputError(EggcrateError):
    """A task that ended well, and did not give what it promises."""


class HistoryError(EggcrateError):
    """Git does not know here what a comparison needs."""


class ForgeError(EggcrateError):
    """GitHub or GitLab does not do what was asked of it."""


class PluginError(EggcrateError):
    """A plugin that cannot be loaded, or that raised."""
